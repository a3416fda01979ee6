"""How the platform is started, here and elsewhere."""
