import time, pika
from tests.builders import tardy
from urllib.parse import urlsplit
def test_s(writeback, client, rabbitmq, amqp_url):
    w = writeback.start_ready(); w.stop()
    client.publish([tardy(f"t{i}") for i in range(50)])
    vhost = urlsplit(amqp_url).path[1:]
    c = pika.BlockingConnection(pika.URLParameters(amqp_url)); ch=c.channel()
    ch.basic_qos(prefetch_count=10)
    ch.basic_consume("writeback.events", lambda *a: None)
    c.process_data_events(0.5)
    def ask():
        t=time.monotonic(); m=ch.queue_declare("writeback.events", passive=True).method
        print(m.message_count, m.consumer_count, round(time.monotonic()-t,3))
    ask(); ask()
    name=f"'{vhost}_writeback.events'"
    print(rabbitmq.ctl("eval", f"sys:suspend({name})."))
    ask(); ask()
    print(rabbitmq.ctl("eval", f"sys:resume({name})."))
    ask(); ask()
