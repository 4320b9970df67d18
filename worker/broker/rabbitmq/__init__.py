"""RabbitMQ: kombu's connection receives, pika publishes and operates."""
