import { StoreUnavailableError } from '../../../../src/errors.js'
import { IDLE_MS } from '../silence.js'

/** A forbidden value of a session variable, and what it would cause. */
type Rule = { readonly refuses: (value: string) => boolean; readonly says: string }

const isolation: Rule = {
  refuses: (value) => value === 'READ-UNCOMMITTED',
  says: 'use an isolation level other than READ UNCOMMITTED: changes that are rolled back later would be read as committed',
}

const SELECT_LIMIT = 'set sql_select_limit to DEFAULT: any other value omits rows from results'

const switchedOff = (value: string): boolean => /^(off|0)$/i.test(value)

const RULES: { readonly [variable: string]: readonly Rule[] } = {
  sql_mode: [
    {
      refuses: (value) => value.includes('NO_BACKSLASH_ESCAPES'),
      says: 'remove NO_BACKSLASH_ESCAPES from sql_mode: values are escaped with backslashes',
    },
    {
      refuses: (value) => !/STRICT_(TRANS|ALL)_TABLES/.test(value),
      says: 'add STRICT_TRANS_TABLES to sql_mode: without it, values are silently truncated',
    },
    {
      refuses: (value) => value.includes('EMPTY_STRING_IS_NULL'),
      says: 'remove EMPTY_STRING_IS_NULL from sql_mode: empty strings would be read as absent',
    },
  ],
  autocommit: [
    { refuses: switchedOff, says: 'turn on autocommit: without it, a connection keeps reading the state from before a revocation' },
  ],
  sql_safe_updates: [
    { refuses: (value) => !switchedOff(value), says: 'turn off sql_safe_updates: it rejects the statements that count uses' },
  ],
  sql_select_limit: [{ refuses: (value) => value !== '18446744073709551615', says: SELECT_LIMIT }],
  completion_type: [
    {
      refuses: (value) => !/^(no_chain|0)$/i.test(value),
      says: 'set completion_type to NO_CHAIN: a transaction must end where it is committed',
    },
  ],
  unique_checks: [{ refuses: switchedOff, says: 'turn on unique_checks: without it, an ID may be stored twice' }],
  tx_isolation: [isolation],
  transaction_isolation: [isolation],
}

/** Reads the variables by name, because MySQL and MariaDB each lack some variables that the other has. */
export const SESSION_VARIABLES: string = `show session variables where variable_name in (${Object.keys(RULES)
  .map((name) => `'${name}'`)
  .join(', ')})`

/**
 * Lets the server end the transaction of a process that hangs or has lost its connection. Otherwise, the transaction would hold its locks for hours. Only
 * MySQL reads the second comment. MySQL can end only idle connections, whether or not they are in a transaction.
 */
const END_STOPPED = `/*M!100300 , session idle_transaction_timeout = ${IDLE_MS / 1000} */ /*!50700 , session wait_timeout = 60 */`

/** Configures a connection of the store's own pool, regardless of the server's defaults. */
export const SET_SESSION: readonly string[] = [
  `set session sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', session autocommit = 1, session sql_safe_updates = 0,
  session sql_select_limit = default, session completion_type = 0, session unique_checks = 1 ${END_STOPPED}`,
  'set session transaction isolation level repeatable read',
]

const refuse = (says: string): never => {
  throw new StoreUnavailableError(`mysql store: the given connections have unsuitable settings: ${says}`)
}

/**
 * Refuses a session whose settings would alter stored or read values. Returns whether the settings could be read at all.
 *
 * @throws StoreUnavailableError `store_unavailable`, which says what to set
 */
export const checkSession = (rows: readonly unknown[]): boolean => {
  const values = new Map<string, string>()
  for (const row of rows) {
    const { Variable_name: name, Value: value } = Object(row) as { readonly Variable_name?: unknown; readonly Value?: unknown }
    values.set(String(name).toLowerCase(), String(value))
  }
  for (const [variable, rules] of Object.entries(RULES)) {
    const value = values.get(variable)
    if (value === undefined) continue
    const broken = rules.find(({ refuses }) => refuses(value))
    if (broken !== undefined) refuse(broken.says)
  }
  // Only some of the variables were returned, so rows were left out.
  if (values.has('autocommit') && !values.has('sql_mode')) refuse(SELECT_LIMIT)
  return values.has('sql_mode')
}
