import { isErrorLike } from '../../errors.js'
import { redact } from '../../token/redact.js'
import { instantOf, NEVER, type RecordPart } from './due.js'

/** A machine-readable reason why the client failed. */
export type ClientErrorCode =
  /** An option or an argument is wrong. */
  | 'invalid_input'
  /** There is no initial token: neither `load` nor `token` provided one. */
  | 'token_missing'
  /** `load`, `save` or `lock` failed, hung or returned an invalid value. */
  | 'storage_failed'
  /** The management API did not answer in time, or answered with 429 or 5xx. The client tries again later. */
  | 'server_unavailable'
  /** The response is not one that the management API sends. The client tries again later. */
  | 'answer_invalid'
  /** The management API refuses to rotate the token, for instance because it lacks `tokens:rotate-self`. */
  | 'rotation_refused'
  /** The token no longer works: it is revoked, expired or unknown. A person has to replace it with a new one. */
  | 'token_refused'
  /** Someone else rotated the token, and the successor is not in the storage. A person has to put it there. */
  | 'token_replaced'
  /**
   * The storage received another token during a rotation, and the client uses that token. A person has to revoke the unused successor, which the message
   * names.
   */
  | 'successor_unused'
  /** The token expires, and rotation does not extend it. A person has to create a new one before then. */
  | 'token_ending'
  /** The token is sent over plain HTTP to a host outside a private network, where others can read it. */
  | 'unencrypted'

/** Details of a `ClientError`, in addition to its message. */
export type ClientErrorDetails = {
  /** The HTTP status of the management API's response. */
  readonly status?: number | undefined
  /** The code in its problem document, such as `token_revoked`. */
  readonly reason?: string | undefined
  /** How long the server asks the client to wait before it retries, in seconds. */
  readonly retryAfterSeconds?: number | undefined
}

const MAX_TEXT = 300
/** The random key of a rotation, used to request a lost response again. A driver or a server may quote it. */
const KEY = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi

/**
 * The client's only error class. Neither its message nor its fields ever contain a token or the key of a rotation; it has no `cause`, because a cause
 * might.
 */
export class ClientError extends Error {
  readonly code: ClientErrorCode
  declare readonly status?: number | undefined
  declare readonly reason?: string | undefined
  declare readonly retryAfterSeconds?: number | undefined

  constructor(code: ClientErrorCode, message: string, details: ClientErrorDetails = {}) {
    super(redact(message).replace(KEY, '…').slice(0, MAX_TEXT))
    this.name = 'ClientError'
    this.code = code
    Object.assign(this, details)
  }
}

/** Long words. Those that look random may be a part of a token, or encode one, as the storage received it. */
const LONG = /[\w+=]{12,}/g
/** Control and invisible characters, which could forge lines in a log or move the cursor of a terminal. */
const UNSEEN = /\p{C}+/gu

/**
 * Returns the text of a thrown value for a message. A host error may carry the request with the token in it, so only its text is kept, without any words that
 * could reveal a token.
 */
export function describe(thrown: unknown): string {
  try {
    return textOf(thrown)
      .replace(UNSEEN, ' ')
      .replace(KEY, '…')
      .replace(LONG, (word) => (looksRandom(word) ? '…' : word))
  } catch {
    return 'an unreadable error'
  }
}

const looksRandom = (word: string): boolean => /\d/.test(word) || (word.length >= 16 && /[a-z]/.test(word) && /[A-Z]/.test(word))

function textOf(thrown: unknown): string {
  if (!isErrorLike(thrown)) return String(thrown)
  const { message, cause } = thrown
  return isErrorLike(cause) ? `${message}: ${cause.message}` : message
}

/** Another process rotated the token. It does not hold our lock, so it is not about to save the successor. */
export function replaced({ replacedById, expiresAt }: RecordPart): ClientError {
  const at = instantOf(expiresAt)
  const end = at === undefined ? '' : ` and expires at ${new Date(at).toISOString()}`
  return new ClientError('token_replaced', `this token was replaced by ${replacedById}${end}: use the successor`)
}

/** Nobody uses a successor. The holder cannot revoke it, because a token can only rotate itself. */
export function unused(id: string): ClientError {
  return new ClientError('successor_unused', `the storage has another token, so the successor ${id} is not used: revoke it`)
}

/** Returns a `ClientError` unchanged, and any other error as a failure of the storage. */
export function asClientError(error: unknown): ClientError {
  return error instanceof ClientError ? error : new ClientError('storage_failed', describe(error))
}

/** Returns whether a successor expires no later than the token that it replaces. */
export function isEndingToo(old: RecordPart, successor: RecordPart): boolean {
  return (instantOf(successor.expiresAt) ?? NEVER) <= (instantOf(old.expiresAt) ?? 0)
}

/** The token expires, and rotation does not extend it. */
export function ending({ expiresAt }: RecordPart): ClientError {
  const at = new Date(instantOf(expiresAt) ?? 0).toISOString()
  return new ClientError('token_ending', `this token expires at ${at}, and rotation cannot extend its life: create a new token`)
}
