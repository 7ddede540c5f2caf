import { auditLiars } from './audit.js'
import { bulkLiars } from './bulk.js'
import { commitLiars } from './commits.js'
import { erasureLiars } from './erasures.js'
import { feedLiars } from './feeds.js'
import type { Liar } from './liar.js'
import { listLiars } from './lists.js'
import { moveLiars } from './moves.js'
import { readLiars } from './reads.js'
import { ticketLiars } from './tickets.js'
import { transactionLiars } from './transactions.js'
import { usageLiars } from './usages.js'

export const LIARS: readonly Liar[] = [
  ...commitLiars,
  ...bulkLiars,
  ...feedLiars,
  ...readLiars,
  ...listLiars,
  ...usageLiars,
  ...auditLiars,
  ...ticketLiars,
  ...transactionLiars,
  ...erasureLiars,
  ...moveLiars,
]
