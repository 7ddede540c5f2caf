import type { StoredToken } from './record.js'

/**
 * Who presents a credential: the caller's address, or a client or an actor that the host has identified. `undefined`: an unknown address. Each has its own
 * budget for wrong secrets, so that unknown callers cannot use up a client's budget.
 *
 * `signed`: the credential comes from the signed report of a secret scanner. Strangers choose what such a report contains, so wrong secrets in it must not
 * block the right secret.
 */
export type Presenter = string | (Known & { readonly signed?: boolean }) | undefined

/**
 * A caller that the host has identified.
 *
 * `group` lists the tenants in which the caller acts, each once and in order. Actors of the same tenants are queued as one group, and so are all tokens
 * without a tenant. A caller without a group is queued separately.
 *
 * `unlimited` marks the application itself, which stands for any number of callers, so any number of its calls may wait.
 */
export type Known = { readonly id: string; readonly group?: readonly string[] | 'tokens' | undefined; readonly unlimited?: boolean }

/** Returns whether someone who reports or revokes a credential may know this record. */
export type IsMine = (record: Pick<StoredToken, 'tenantId' | 'createdBy'>) => boolean
