"""What RabbitMQ alone can do to us. The witness is pika, used plainly: it shares nothing with our code."""
