"""RabbitMQ and the embedded inbox behind one set of ports (`worker.broker.ports`)."""
