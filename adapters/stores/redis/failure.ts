import { isErrorLike, isLatchkeyError, type LatchkeyError, StoreUnavailableError } from '../../../src/errors.js'
import { ConnectionLostError } from '../../../src/store/deadline.js'
import { advisedBy } from '../../../src/store/fault-places.js'

/** The meaning of a reply's first word, or of a socket error's code, for the server's operator. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/^(NOAUTH|WRONGPASS)|invalid (username-)?password/i, 'the server refused the credentials: check the user and password in the URL'],
  [/^NOPERM/, 'the user lacks a permission: it needs EVAL, EVALSHA, INFO and all keys and channels under the key prefix (see the docs)'],
  [/^READONLY/, 'this is a read-only replica: connect to the primary'],
  [/^OOM/, 'the server is out of memory and refused the write: raise maxmemory'],
  [/^MISCONF/, 'the server cannot save to its disk and refuses writes: check the disk'],
  [/^LOADING/, 'the server is still loading its data'],
  [/^(BUSY|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|NOREPLICAS|MOVED|ASK|CROSSSLOT)/, 'the server cannot respond at the moment'],
  [/unknown (redis )?command/i, 'the server is too old: latchkey requires Redis 7 or Valkey'],
  [/^WRONGTYPE/, 'a key under the key prefix belongs to something else: choose a different key prefix'],
  [/DB index/i, 'the database in the URL does not exist on this server: check its number and the databases setting of the server'],
  [/ENOTFOUND|EAI_AGAIN/, 'the host name cannot be resolved: check the URL'],
  [
    /ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOENT/,
    'nothing responds at that address: check the URL, and make sure that the server is running',
  ],
  [/call stack|string length|too big/i, 'the change is too large for one command: split it'],
  [/self.signed|certificate|SSL|TLS/i, 'the encrypted connection failed: check the certificate, and whether the URL needs rediss://'],
  [/Script|user_script|ERR/, 'the server refused the request'],
]

const UNREACHED = 'no connection: check that the server is running and can be reached'

/**
 * Maps any failure of a client or server to an error from this store.
 *
 * Clients attach the command with all its arguments to their errors, and some servers quote arguments. Only the first words of the message are therefore
 * passed on, never the error itself.
 */
export function redisFailure(error: unknown): LatchkeyError {
  if (isLatchkeyError(error)) return error
  const text = describe(error)
  const advice = ADVICE.find(([pattern]) => pattern.test(text))?.[1]
  // A failure that matches none of the patterns means that the connection was lost.
  const Failure = advice === undefined ? ConnectionLostError : StoreUnavailableError
  const told = advice ?? UNREACHED
  return advisedBy(told, new Failure(`redis: ${told}`, new Error(text)))
}

function describe(error: unknown): string {
  // Node collects the attempts at several addresses of one host into an AggregateError without a message.
  if (!isErrorLike(error)) return 'the client failed without an error'
  const attempts: unknown = Reflect.get(error, 'errors')
  if (Array.isArray(attempts) && isErrorLike(attempts[0]) && attempts[0] !== error) return textOf(attempts[0])
  return textOf(error)
}

function textOf(error: Error): string {
  const [text = ''] = (error.message || error.name).split(/,? with args/)
  return text.replace(/\/\/[^@\s/]*@/g, '//').slice(0, 200)
}
