import { isIP } from 'node:net'
import { CompiledQuery } from 'kysely'
import type { StoreDiagnosis, StoreFinding } from '../../../../src/store/diagnosis.js'
import { fact, finding } from '../../lib/findings.js'
import { transportFinding } from '../../lib/transport-finding.js'
import { type Facts, lossyIf, READ_ONLY, readFacts, textsOf } from '../diagnose.js'
import { askRaw, type Steps } from '../engine.js'

const VARIABLES = [
  'version',
  'sql_mode',
  'time_zone',
  'read_only',
  'super_read_only',
  'innodb_read_only',
  'innodb_flush_log_at_trx_commit',
  'innodb_doublewrite',
  'log_bin',
  'sync_binlog',
]

/** Reads variables by name, because MySQL and MariaDB each lack some variables that the other has. */
function* readPairs(query: string): Steps<Facts> {
  const { rows } = yield* askRaw(CompiledQuery.raw(query))
  return textsOf(rows.map((row) => [Reflect.get(Object(row), 'Variable_name'), Reflect.get(Object(row), 'Value')]))
}

const isOn = (value: string | undefined): boolean => value !== undefined && /^(on|1)$/i.test(value)

/** Reports settings that would let a server crash undo acknowledged changes. */
const durabilityOf = (facts: Facts) => {
  const { innodb_flush_log_at_trx_commit: flush, sync_binlog: binlog } = facts
  const wrong = [
    ...(flush !== undefined && flush !== '1' ? [`innodb_flush_log_at_trx_commit is ${flush}`] : []),
    ...(/^off$/i.test(facts.innodb_doublewrite ?? '') ? ['innodb_doublewrite is off'] : []),
    ...(isOn(facts.log_bin) && binlog !== '1' ? [`sync_binlog is ${binlog}`] : []),
  ]
  return lossyIf(wrong, 'Set innodb_flush_log_at_trx_commit = 1, innodb_doublewrite = ON, and with a binary log sync_binlog = 1.')
}

/** Reports whether the connection is encrypted. Gives no assessment if the server knows this client by a host name, which may resolve to any address. */
const transportOf = (client: string, encrypted: boolean): readonly StoreFinding[] => {
  const address = client === 'localhost' ? undefined : client
  if (address !== undefined && isIP(address) === 0 && !encrypted) return [fact('tls', 'not encrypted')]
  // Only the client knows whether the certificate was verified, and it emits its own warning.
  return [transportFinding({ address, encrypted, verified: true })]
}

/** Diagnoses a MySQL or MariaDB server. */
export function* diagnoseMysql(): Steps<StoreDiagnosis> {
  const facts = yield* readPairs(`show variables where variable_name in (${VARIABLES.map((name) => `'${name}'`).join(', ')})`)
  const { ssl_cipher: cipher = '' } = yield* readPairs("show session status where variable_name = 'Ssl_cipher'")
  // In UTC, because local time repeats an hour at the end of daylight saving time.
  const { client = '', now } = yield* readFacts(
    "select substring_index(user(), '@', -1) as client, timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) / 1000 as now",
  )
  const { version = 'unknown', sql_mode: mode = 'unknown', time_zone: zone = 'unknown' } = facts
  return {
    findings: [
      fact('server', `${/mariadb/i.test(version) ? '' : 'MySQL '}${version}`),
      finding('primary', 'yes', [facts.read_only, facts.super_read_only, facts.innodb_read_only].some(readsOnly) && READ_ONLY),
      finding('durability', `innodb_flush_log_at_trx_commit ${facts.innodb_flush_log_at_trx_commit}`, durabilityOf(facts)),
      ...transportOf(client, cipher !== ''),
      // An unsuitable mode is refused when the store opens.
      finding('sql_mode', mode, undefined),
      fact('time_zone', `${zone}, irrelevant because instants are stored as numbers`),
    ],
    ...(now === undefined ? {} : { now: Number(now) }),
  }
}

/** MariaDB 12 adds the stricter values `NO_LOCK` and `NO_LOCK_NO_ADMIN`. */
const readsOnly = (value: string | undefined): boolean => value !== undefined && !/^(off|0)$/i.test(value)
