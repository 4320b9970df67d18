// The strongest peer: amqplib, ajv, pg. One JSON parameter a statement, which PostgreSQL takes apart; reading, parsing
// and validating go on while the database works on the batch before.
import { createHash } from 'node:crypto';
import process from 'node:process';
import amqp from 'amqplib';
import pg from 'pg';
import { Matcher } from './matching.mjs';
import { storeOf } from './storing.mjs';
import { isEnvelope, validators } from './validating.mjs';

const BATCH = 500;
const PREFETCH = 2000;
const LINGER = 20; // milliseconds
const MAX_BODY = 256 * 1024;

class Program {
  constructor(client, matcher, channel, parking) {
    Object.assign(this, { client, matcher, channel, parking });
    this.store = storeOf(process.env.TABLES ?? 'text');
    this.arrived = []; // {tag, event}: event is null where the message was parked
    this.parked = [];
    this.busy = false;
    this.timer = null;
  }

  take(message) {
    if (message === null) throw new Error('the broker has cancelled the consumer');
    this.arrived.push({ tag: message, event: this.read(message.content) });
    if (this.busy) return;
    if (this.arrived.length >= BATCH) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), LINGER);
  }

  read(body) {
    try {
      return this.valid(body);
    } catch (error) {
      const headers = { 'x-writeback-reason': error.name };
      this.parked.push(
        new Promise((done, failed) => {
          const told = (refused) => (refused ? failed(refused) : done());
          this.parking.publish('writeback.rejected', '', body, { persistent: true, headers }, told);
        }),
      );
      return null;
    }
  }

  valid(body) {
    if (body.length > MAX_BODY) throw new RangeError('the body is too long');
    const text = body.toString('utf8');
    if (text.includes('\\u0000')) throw new RangeError('PostgreSQL takes no NUL');
    const envelope = JSON.parse(text);
    if (!isEnvelope(envelope)) throw new TypeError('it is no envelope');
    if (!validators[envelope.type](envelope.data)) throw new TypeError('it is no tardy');
    return { envelope, tardy: { district_id: 'default', ...envelope.data } };
  }

  async flush() {
    clearTimeout(this.timer);
    this.timer = null;
    this.busy = true;
    while (this.arrived.length) {
      const batch = this.arrived.splice(0, BATCH);
      await Promise.all(this.parked.splice(0));
      const events = batch.filter((one) => one.event !== null).map((one) => one.event);
      if (events.length) await this.store.put(this.client, rowsOf(events, this.matcher));
      this.channel.ack(batch[batch.length - 1].tag, true);
      if (this.arrived.length < BATCH && !this.stopping) break;
    }
    this.busy = false;
    if (this.arrived.length) this.timer = setTimeout(() => this.flush(), LINGER);
    else if (this.stopping) this.stopping();
  }

  async stop(connection) {
    const emptied = new Promise((done) => (this.stopping = done));
    await this.channel.cancel('peer');
    if (this.busy || this.arrived.length) {
      if (!this.busy) this.flush();
      await emptied;
    }
    await this.channel.close();
    await connection.close();
    await this.client.end();
  }
}

function rowsOf(events, matcher) {
  const now = new Date().toISOString();
  const rows = { versions: [], heads: new Map(), entries: [], corrections: [] };
  for (const { envelope, tardy } of events) {
    const voided = envelope.type === 'tardy.voided';
    rows.versions.push(versionRow(envelope, tardy, now));
    keepNewest(rows.heads, headRow(tardy, voided, now));
    if (!voided) {
      for (const exportId of matcher.matches(tardy)) rows.entries.push(entryRow(tardy, exportId, now));
    }
    if (tardy.version > 1) {
      rows.corrections.push({
        district_id: tardy.district_id,
        tardy_id: tardy.tardy_id,
        version: tardy.version,
      });
    }
  }
  rows.heads = [...rows.heads.values()];
  return rows;
}

function versionRow(envelope, tardy, now) {
  const document = JSON.stringify(spelt(tardy));
  return {
    district_id: tardy.district_id,
    tardy_id: tardy.tardy_id,
    version: tardy.version,
    type: envelope.type,
    document,
    content_hash: createHash('sha256').update(document).digest('hex'),
    message_id: envelope.id,
    source: envelope.source,
    traceparent: envelope.traceparent ?? null,
    received_at: now,
  };
}

// One spelling of a tardy: names in order, moments in UTC, what is null left out.
function spelt(tardy) {
  const found = {};
  for (const name of Object.keys(tardy).sort()) {
    const value = tardy[name];
    if (value === null) continue;
    const moment = name === 'occurred_at' || name === 'recorded_at';
    found[name] = moment ? new Date(value).toISOString().replace('Z', '000Z') : inOrder(value);
  }
  return found;
}

function inOrder(value) {
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, value[name]]));
}

function headRow(tardy, voided, now) {
  return {
    district_id: tardy.district_id,
    tardy_id: tardy.tardy_id,
    version: tardy.version,
    voided,
    school_id: tardy.school_id,
    behavior_code: tardy.behavior_code ?? null,
    occurred_at: tardy.occurred_at ?? null,
    student_id: tardy.student?.id ?? null,
    first_received_at: now,
  };
}

// The same tardy twice in a batch would have the statement touch a row twice, which PostgreSQL refuses.
function keepNewest(heads, row) {
  const key = `${row.district_id}\n${row.tardy_id}`;
  const known = heads.get(key);
  if (known === undefined || known.version < row.version) heads.set(key, row);
}

function entryRow(tardy, exportId, now) {
  return {
    export_id: exportId,
    district_id: tardy.district_id,
    tardy_id: tardy.tardy_id,
    version: tardy.version,
    sort_at: tardy.occurred_at,
    buffered_at: now,
  };
}

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
const matcher = await Matcher.load(client);
const connection = await amqp.connect(process.env.BROKER_URL);
const channel = await connection.createChannel();
await channel.prefetch(PREFETCH);
const program = new Program(client, matcher, channel, await connection.createConfirmChannel());
process.on('SIGTERM', () => program.stop(connection));
await channel.consume('writeback.events', (message) => program.take(message), { consumerTag: 'peer' });
