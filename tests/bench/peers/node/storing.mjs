// A batch into PostgreSQL: one transaction, one JSON parameter a statement.
const TEXT = {
  versions: `
INSERT INTO tardy_versions (district_id, tardy_id, version, type, document, content_hash, message_id, source,
  traceparent, received_at)
SELECT * FROM json_to_recordset($1) AS given(district_id text, tardy_id text, version bigint, type text,
  document text, content_hash text, message_id text, source text, traceparent text, received_at timestamptz)
ON CONFLICT DO NOTHING`,
  heads: `
INSERT INTO tardies AS known (district_id, tardy_id, version, voided, school_id, behavior_code, occurred_at,
  student_id, first_received_at, changes)
SELECT *, 0 FROM json_to_recordset($1) AS given(district_id text, tardy_id text, version bigint, voided boolean,
  school_id text, behavior_code text, occurred_at timestamptz, student_id text, first_received_at timestamptz)
ON CONFLICT (district_id, tardy_id) DO UPDATE SET version = excluded.version, voided = excluded.voided,
  school_id = excluded.school_id, behavior_code = excluded.behavior_code, occurred_at = excluded.occurred_at,
  student_id = excluded.student_id, changes = known.changes + 1
WHERE excluded.version > known.version`,
  entries: `
INSERT INTO entries (export_id, district_id, tardy_id, version, sort_at, buffered_at, ordinal, state, judged)
SELECT *, 0, 'buffered', false FROM json_to_recordset($1) AS given(export_id text, district_id text, tardy_id text,
  version bigint, sort_at timestamptz, buffered_at timestamptz)
ON CONFLICT DO NOTHING`,
  corrections: `
UPDATE entries SET state = 'superseded', judged = true
FROM json_to_recordset($1) AS given(district_id text, tardy_id text, version bigint)
WHERE entries.district_id = given.district_id AND entries.tardy_id = given.tardy_id
  AND entries.version < given.version AND entries.state IN ('buffered', 'held')`,
};

class Store {
  constructor(statements) {
    this.statements = Object.entries(statements);
  }

  // The queries are handed over at once: pg sends each as soon as the one before is answered.
  async put(client, rows) {
    const asked = [client.query('BEGIN')];
    for (const [name, text] of this.statements) {
      if (rows[name].length) asked.push(client.query({ name, text, values: [JSON.stringify(rows[name])] }));
    }
    asked.push(client.query('COMMIT'));
    await Promise.all(asked);
  }
}

export const storeOf = (tables) => new Store({ text: TEXT }[tables]);
