// The message contract as JSON Schema, compiled by ajv.
import Ajv from 'ajv';
import addFormats from 'ajv-formats';

const ajv = new Ajv({ allowUnionTypes: true, strictTypes: false });
addFormats(ajv);

const text = (least, most) => ({ type: 'string', minLength: least, maxLength: most });
const moment = { type: 'string', format: 'date-time' };
const orNull = (schema) => ({ ...schema, type: [schema.type, 'null'] });
const closed = (properties, required = []) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

const student = closed(
  {
    id: text(1, 256),
    local_id: text(0, 256),
    state_id: text(0, 256),
    first_name: text(0, 256),
    last_name: text(0, 256),
    grade: text(0, 256),
  },
  ['id'],
);
const attributes = {
  type: 'object',
  propertyNames: { minLength: 1, maxLength: 128 },
  additionalProperties: { type: ['string', 'number', 'boolean', 'null'], maxLength: 1000 },
};
const properties = {
  tardy_id: text(1, 64),
  version: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
  school_id: text(1, 64),
  district_id: text(1, 64),
  occurred_at: moment,
  behavior_code: text(1, 64),
  student,
  recorded_at: moment,
  period: orNull(text(1, 64)),
  minutes_late: orNull({ type: 'integer', minimum: 0, maximum: 1440 }),
  staff: orNull(closed({ id: text(0, 256), name: text(0, 256) })),
  comment: text(0, 1000),
  attributes,
};
const always = ['tardy_id', 'version', 'school_id'];
const tardy = ajv.compile(closed(properties, [...always, 'occurred_at', 'behavior_code', 'student']));
const voided = ajv.compile(closed(properties, always));

export const validators = { 'tardy.recorded': tardy, 'tardy.amended': tardy, 'tardy.voided': voided };

export const isEnvelope = ajv.compile({
  type: 'object',
  properties: {
    specversion: { const: '1.0' },
    id: text(1, 512),
    source: text(1, 512),
    type: { enum: Object.keys(validators) },
    time: moment,
    data: {},
  },
  required: ['specversion', 'id', 'source', 'type', 'data'],
});
