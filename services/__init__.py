"""A real Apache Kafka and a real S3 server on loopback, for tests and development: `make services`.

Not here: anything of the platform. Only the standard library and the two clients that prove that a service answers.
"""
