import { statSync } from 'node:fs'
import type { StoreDiagnosis, StoreFinding } from '../../../../src/store/diagnosis.js'
import { fact, finding } from '../../lib/findings.js'
import { type Facts, readFacts } from '../diagnose.js'
import type { Steps } from '../engine.js'

const FACTS = `select sqlite_version() as version, (select file from pragma_database_list where name = 'main') as file,
  (select journal_mode from pragma_journal_mode) as journal, (select synchronous from pragma_synchronous) as synchronous`

/** https://sqlite.org/pragma.html#pragma_synchronous */
const LEVELS = ['off', 'normal', 'full', 'extra']

/** Reports settings that would let a power failure undo acknowledged changes. */
const durabilityOf = (file: string, { journal = '', synchronous = '' }: Facts) => {
  if (file === '') {
    return {
      says: 'the database is in memory: data is lost when the process ends',
      advice: 'Pass the store the path of a file.',
    }
  }
  // In the older journal modes, `normal` loses nothing that was acknowledged unless the file system reorders writes.
  if (Number(synchronous) >= 2 && !/^(off|memory)$/i.test(journal)) return undefined
  return {
    says: `journal_mode ${journal}, synchronous ${LEVELS[Number(synchronous)]}: a power failure can undo acknowledged changes, and a revoked token would work again`,
    advice: 'Run pragma journal_mode = wal and pragma synchronous = full on your handle, or pass the store the path.',
  }
}

/** Reports whether other users can open the file, if the system has file modes. */
const fileFinding = (file: string): readonly StoreFinding[] => {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode
  if (mode === undefined || process.platform === 'win32') return []
  const open = (mode & 0o007) !== 0 && {
    says: `every user of this machine can open ${file}`,
    advice: `Run chmod 600 on ${file}, and on the accompanying files that end in -wal and -shm.`,
  }
  return [finding('file', file, open)]
}

/** Diagnoses a SQLite database. */
export function* diagnoseSqlite(): Steps<StoreDiagnosis> {
  const facts = yield* readFacts(FACTS)
  const { version = 'unknown', file = '', journal, synchronous } = facts
  return {
    findings: [
      fact('server', `SQLite ${version}`),
      finding('durability', `journal_mode ${journal}, synchronous ${LEVELS[Number(synchronous)]}`, durabilityOf(file, facts)),
      ...(file === '' ? [] : fileFinding(file)),
    ],
  }
}
