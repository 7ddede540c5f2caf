import { type Script, script } from './client.js'
import {
  beginStore,
  readConsumers,
  readFeed,
  readLeases,
  recordUsage,
  removeConsumer,
  renewLeases,
  reportUsage,
  saveConsumer,
} from './lua/activity.js'
import { eventStep, eventStepOldest, oneEvent } from './lua/events.js'
import { distinctNames, listStep } from './lua/list.js'
import { readMove, saveMove } from './lua/moves.js'
import { prelude } from './lua/prelude.js'
import { restore } from './lua/restore.js'
import { removeEvents, trimUsage } from './lua/retention.js'
import { driveJob, revokeTokens } from './lua/revoke.js'
import { readSeals, saveSeal } from './lua/seals.js'
import { saveTicket, takeTicket } from './lua/tickets.js'
import { commitChange, findTokens } from './lua/tokens.js'

/** Every script of the store, each starting with the shared prelude. */
export const scripts: { readonly [Name in ScriptName]: Script } = {
  begin: script(prelude, beginStore),
  find: script(prelude, findTokens),
  list: script(prelude, listStep),
  distinct: script(prelude, distinctNames),
  commit: script(prelude, commitChange),
  revoke: script(prelude, revokeTokens),
  drive: script(prelude, driveJob),
  events: script(prelude, eventStep),
  oldestEvents: script(prelude, eventStepOldest),
  oneEvent: script(prelude, oneEvent),
  feed: script(prelude, readFeed),
  recordUsage: script(prelude, recordUsage),
  reportUsage: script(prelude, reportUsage),
  renewLeases: script(prelude, renewLeases),
  readLeases: script(prelude, readLeases),
  readConsumers: script(prelude, readConsumers),
  saveConsumer: script(prelude, saveConsumer),
  removeConsumer: script(prelude, removeConsumer),
  readSeals: script(prelude, readSeals),
  saveSeal: script(prelude, saveSeal),
  removeEvents: script(prelude, removeEvents),
  trimUsage: script(prelude, trimUsage),
  readMove: script(prelude, readMove),
  saveMove: script(prelude, saveMove),
  restore: script(prelude, restore),
  saveTicket: script(prelude, saveTicket),
  takeTicket: script(prelude, takeTicket),
}

type ScriptName =
  | 'begin'
  | 'find'
  | 'list'
  | 'distinct'
  | 'commit'
  | 'revoke'
  | 'drive'
  | 'events'
  | 'oldestEvents'
  | 'oneEvent'
  | 'feed'
  | 'recordUsage'
  | 'reportUsage'
  | 'renewLeases'
  | 'readLeases'
  | 'readConsumers'
  | 'saveConsumer'
  | 'removeConsumer'
  | 'readSeals'
  | 'saveSeal'
  | 'removeEvents'
  | 'trimUsage'
  | 'readMove'
  | 'saveMove'
  | 'restore'
  | 'saveTicket'
  | 'takeTicket'
