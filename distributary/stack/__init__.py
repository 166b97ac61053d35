"""The local servers: real Kafka, Postgres, Valkey, Triton and Prism from package registries."""
