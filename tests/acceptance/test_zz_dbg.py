import tests.acceptance.test_end_to_end as T
from sqlalchemy import text
def test_dbg(writeback, client, amqp_url, database, home, capsys):
    orig = T.check
    import json
    stream = {}
    origp = T.publish
    def publish(url, refs, msgs):
        for i,m in enumerate(msgs): stream.setdefault((m["data"]["district_id"],m["data"]["tardy_id"],m["data"]["version"]),[]).append(i)
        import datetime
        origp(url, refs, msgs)
        print("published", datetime.datetime.now(datetime.UTC))
    T.publish = publish
    try:
        T.test_20000_tardies_over_20_definitions_are_in_the_files_exactly(writeback, client, amqp_url, database, home)
    except AssertionError as e:
        with database.read() as c:
            print(c.execute(text("select export_id, trigger, rows, started_at, finished_at from runs where export_id='default-one'")).all())
            r = c.execute(text("select * from run_requests where export_id='default-one'")).all(); print(r)
            print(sorted(c.execute(text("select state, reason_code, count(*) from entries where export_id='default-one' group by 1,2")).all(), key=str))
            late = c.execute(text("select e.tardy_id, e.version, e.state, e.buffered_at, v.received_at from entries e join tardy_versions v using (district_id, tardy_id, version) where export_id='default-one' order by v.received_at desc limit 12")).all()
            for l in late: print(l, stream.get(("default", l[0], l[1])))
            print(len([1 for _ in stream]), max(max(v) for v in stream.values()))
            print(c.execute(text("select * from consumers")).all())
        raise
