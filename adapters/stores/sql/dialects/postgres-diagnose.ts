import type { StoreDiagnosis } from '../../../../src/store/diagnosis.js'
import { fact, finding } from '../../lib/findings.js'
import { transportFinding } from '../../lib/transport-finding.js'
import { type Facts, lossyIf, READ_ONLY, readFacts } from '../diagnose.js'
import type { Steps } from '../engine.js'

const SETTINGS = ['server_version', 'fsync', 'full_page_writes', 'synchronous_commit', 'TimeZone'] as const

const FACTS = `select ${SETTINGS.map((name) => `current_setting('${name}', true) as ${name.toLowerCase()}`).join(', ')},
  pg_is_in_recovery()::text as recovery, current_setting('transaction_read_only') as read_only,
  host(inet_client_addr()) as client, (extract(epoch from clock_timestamp()) * 1000)::text as now,
  (select ssl::text from pg_stat_ssl where pid = pg_backend_pid()) as ssl`

/** Reports settings that would let a server crash undo acknowledged changes. */
const durabilityOf = ({ fsync, full_page_writes: pages, synchronous_commit: commit }: Facts) => {
  const wrong = [
    ...(fsync === 'off' ? ['fsync is off'] : []),
    ...(pages === 'off' ? ['full_page_writes is off'] : []),
    ...(commit === 'off' ? ['synchronous_commit is off'] : []),
  ]
  return lossyIf(wrong, 'Turn it on, at least for the role and the database that latchkey uses.')
}

/** Diagnoses a Postgres server. */
export function* diagnosePostgres(): Steps<StoreDiagnosis> {
  const facts = yield* readFacts(FACTS)
  const { client, ssl, server_version: version = 'unknown', timezone = 'unknown', now } = facts
  const isReplica = facts.recovery === 'true' || facts.read_only === 'on'
  return {
    findings: [
      fact('server', `Postgres ${version}`),
      finding('primary', 'yes', isReplica && READ_ONLY),
      finding('durability', `fsync ${facts.fsync}, synchronous_commit ${facts.synchronous_commit}`, durabilityOf(facts)),
      // Only the client knows whether the certificate was verified, and it emits its own warning.
      transportFinding({ address: client, encrypted: ssl === 'true', verified: true }),
      fact('time_zone', `${timezone}, irrelevant because instants are stored as numbers`),
    ],
    ...(now === undefined ? {} : { now: Number(now) }),
  }
}
