"""HTTP -> events, labels: takes what users send and answers when Kafka has it."""
