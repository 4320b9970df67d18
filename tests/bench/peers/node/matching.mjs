// Which definitions a tardy belongs to; read once, at the start.
const DEFINITIONS = `
SELECT d.export_id, d.district_id, d.backfill_from::text AS first_day, r.document
FROM definitions d JOIN definition_revisions r ON r.export_id = d.export_id AND r.revision = d.revision
WHERE d.state = 'active'`;
const SCHOOLS = `SELECT district_id, school_id, document FROM reference_versions
WHERE kind = 'school' ORDER BY version`;
const QUARTER = 15 * 60 * 1000; // zones differ by quarters of an hour: within one it is the same day everywhere

export class Matcher {
  static async load(client) {
    const definitions = (await client.query(DEFINITIONS)).rows;
    const schools = (await client.query(SCHOOLS)).rows;
    return new Matcher(definitions, schools);
  }

  constructor(definitions, schools) {
    this.definitions = definitions.map(({ document, ...row }) => ({
      ...row,
      schools: document.schools === 'all' ? null : new Set(document.schools),
      codes: document.codes === 'all' ? null : new Set(document.codes),
      zone: document.schedule.time_zone,
    }));
    this.zones = new Map(
      schools.map((row) => [`${row.district_id}\n${row.school_id}`, JSON.parse(row.document).time_zone]),
    );
    this.formats = new Map();
    this.days = new Map();
  }

  matches(tardy) {
    const zone = this.zones.get(`${tardy.district_id}\n${tardy.school_id}`);
    const moment = Date.parse(tardy.occurred_at);
    const found = [];
    for (const one of this.definitions) {
      if (
        one.district_id === tardy.district_id &&
        (one.schools === null || one.schools.has(tardy.school_id)) &&
        (one.codes === null || one.codes.has(tardy.behavior_code)) &&
        this.day(moment, zone ?? one.zone) >= one.first_day
      ) {
        found.push(one.export_id);
      }
    }
    return found;
  }

  // The local date as YYYY-MM-DD.
  day(moment, zone) {
    const key = `${zone}${Math.floor(moment / QUARTER)}`;
    let day = this.days.get(key);
    if (day === undefined) {
      if (!this.formats.has(zone)) {
        this.formats.set(zone, new Intl.DateTimeFormat('en-CA', { timeZone: zone, dateStyle: 'short' }));
      }
      day = this.formats.get(zone).format(moment);
      this.days.set(key, day);
    }
    return day;
  }
}
