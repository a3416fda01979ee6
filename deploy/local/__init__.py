"""The whole stack on one machine, without Docker: Kafka, Redis and the services as processes."""
