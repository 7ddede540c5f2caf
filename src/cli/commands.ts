import { addActivate } from './commands/activate.js'
import { addConsumers } from './commands/consumers.js'
import { addCopy } from './commands/copy.js'
import { addCreate } from './commands/create.js'
import { addDeactivate } from './commands/deactivate.js'
import { addDoctor } from './commands/doctor.js'
import { addErase } from './commands/erase.js'
import { addEvents } from './commands/events.js'
import { addExplain } from './commands/explain.js'
import { addForgetConsumer } from './commands/forget-consumer.js'
import { addImport } from './commands/import.js'
import { addList } from './commands/list.js'
import { addMigrate } from './commands/migrate.js'
import { addOwnerGone } from './commands/owner-gone.js'
import { addPrune } from './commands/prune.js'
import { addRevoke } from './commands/revoke.js'
import { addRevokeAll } from './commands/revoke-all.js'
import { addRotate } from './commands/rotate.js'
import { addScannerRules } from './commands/scanner-rules.js'
import { addShow } from './commands/show.js'
import { addUpdate } from './commands/update.js'
import { addUsage } from './commands/usage.js'
import { addVerifyAudit } from './commands/verify-audit.js'
import type { AddCommand } from './lib/command.js'

/** Every command, in the order in which help lists them. */
export const COMMANDS: readonly AddCommand[] = [
  addCreate,
  addList,
  addShow,
  addUpdate,
  addRotate,
  addDeactivate,
  addActivate,
  addRevoke,
  addRevokeAll,
  addOwnerGone,
  addErase,
  addEvents,
  addConsumers,
  addForgetConsumer,
  addUsage,
  addExplain,
  addDoctor,
  addImport,
  addCopy,
  addMigrate,
  addPrune,
  addVerifyAudit,
  addScannerRules,
]
