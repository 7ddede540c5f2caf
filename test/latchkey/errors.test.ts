import { runInNewContext } from 'node:vm'
import { ConflictError, InvalidInputError, isLatchkeyError, LatchkeyError, StoreUnavailableError } from 'latchkey'
import { describe, expect, it, vi } from 'vitest'
import { redisFailure } from '../../adapters/stores/redis/failure.js'
import { mysqlQuirks } from '../../adapters/stores/sql/dialects/mysql-quirks.js'
import { postgresQuirks } from '../../adapters/stores/sql/dialects/postgres-quirks.js'
import { sqliteQuirks } from '../../adapters/stores/sql/dialects/sqlite-quirks.js'
import { unavailable } from '../../adapters/stores/sql/faults.js'
import { describe as describeThrown } from '../../src/extensions/client/client-error.js'
import { unless } from '../../src/extensions/client/node/file-lock.js'
import { problemResponse } from '../../src/management/problem-response.js'
import { type CallSite, callOut } from '../../src/store/deadline.js'

/** An error as thrown by the platform into a Jest test: from another realm, so not `instanceof Error`. */
const foreign = (message: string, fields: object): Error =>
  runInNewContext('Object.assign(new Error(message), fields)', { message, fields: { ...fields } })

/** Loads a second copy of the package in this process. */
const secondCopy = async (): Promise<typeof import('latchkey')> => {
  vi.resetModules()
  return await import('latchkey')
}

const site: CallSite = { what: 'the store', where: 'store.find', deadlineMs: 1000, report: () => undefined }

describe('isLatchkeyError', () => {
  it('isLatchkeyError() recognizes every error class of its own copy of the package', () => {
    for (const error of [new InvalidInputError('a', 'b'), new StoreUnavailableError('c'), new LatchkeyError('closed', 'd')]) {
      expect(isLatchkeyError(error)).toBe(true)
    }
  })

  it('isLatchkeyError() recognizes errors from a second copy of the package, unlike instanceof', async () => {
    const other = await secondCopy()
    const error = new other.ConflictError('conflict', 'changed in the meantime', { version: 3 })
    expect(error).not.toBeInstanceOf(ConflictError)
    expect(isLatchkeyError(error)).toBe(true)
    expect(other.isLatchkeyError(new ConflictError('conflict', 'changed in the meantime'))).toBe(true)
  })

  it.each([undefined, null, 'conflict', 1, {}, new Error('x'), Object.assign(new Error('x'), { code: 'conflict', status: 409 })])(
    'isLatchkeyError() is false for %o',
    (value) => expect(isLatchkeyError(value)).toBe(false),
  )

  it('isLatchkeyError() is false for a value whose fields cannot be read', () => {
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error('no')
        },
      },
    )
    expect(isLatchkeyError(hostile)).toBe(false)
  })

  it('the error mark is neither enumerable nor copied', () => {
    const error = new InvalidInputError('a', 'b')
    expect(Object.keys(error)).not.toContain('Symbol(latchkey.error)')
    expect(Object.getOwnPropertySymbols({ ...error })).toEqual([])
  })
})

describe('errors from another realm', () => {
  it('the Postgres, MySQL and Redis stores recognize a refused connection from another realm', () => {
    const refused = foreign('connect ECONNREFUSED 127.0.0.1:5432', { code: 'ECONNREFUSED', errno: -111 })
    expect(refused).not.toBeInstanceOf(Error)
    expect(postgresQuirks.faultOf(refused)).toBe('connection')
    expect(mysqlQuirks.faultOf(refused)).toBe('connection')
    expect(unavailable('postgres', postgresQuirks.faultOf, refused).message).toContain('cannot be reached')
    expect(redisFailure(refused).message).toContain('nothing responds at that address')
  })

  it('the Redis store recognizes a refused connection inside an AggregateError from another realm', () => {
    const refused = foreign('', { errors: [foreign('connect ECONNREFUSED ::1:6379', { code: 'ECONNREFUSED' })] })
    expect(redisFailure(refused).message).toContain('nothing responds at that address')
  })

  it('the SQLite store recognizes a lock error from another realm', () => {
    expect(sqliteQuirks.faultOf(foreign('database is locked', { code: 'SQLITE_BUSY' }))).toBe('contention')
  })

  it('an error from another realm keeps its name and code as the cause of an outage', () => {
    const thrown = foreign('x', { code: 'ECONNREFUSED' })
    const call = () => {
      throw thrown
    }
    expect(() => callOut(site, call)).toThrow(expect.objectContaining({ cause: 'Error ECONNREFUSED' }))
  })
})

describe('errors from another copy', () => {
  it('an error from another copy of latchkey passes through a store and a deadline unchanged', async () => {
    const other = await secondCopy()
    const error = new other.StoreUnavailableError('the other copy says so')
    expect(unavailable('postgres', postgresQuirks.faultOf, error)).toBe(error)
    expect(redisFailure(error)).toBe(error)
    const call = () => {
      throw error
    }
    expect(() => callOut(site, call)).toThrow(error)
  })
})

describe('errors from another copy or realm in the library', () => {
  it('the management API answers a refusal from another copy with its own code and field', async () => {
    const other = await secondCopy()
    const response = problemResponse(new other.InvalidInputError('name', 'must be a string'))
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ code: 'invalid_input', errors: [{ in: 'body', pointer: '#/name', detail: 'must be a string' }] }),
    ])
  })

  it('the management API reports a conflict error from another copy as a conflict, with its version', async () => {
    const other = await secondCopy()
    const response = problemResponse(new other.ConflictError('conflict', 'changed in the meantime', { version: 3 }))
    expect([response.status, response.headers.get('etag')]).toEqual([412, expect.stringContaining('3')])
  })

  it('a forged error with a different status gets the status of its code', async () => {
    const forged = Object.assign(new Error('x'), { [Symbol.for('latchkey.error')]: true, code: 'invalid_input', status: 200, issues: [] })
    expect(problemResponse(forged).status).toBe(400)
  })

  it('the client describes the cause of a failure from another realm', () => {
    const refused = runInNewContext("Object.assign(new TypeError('fetch failed'), { cause: new Error('connect ECONNREFUSED') })")
    expect(describeThrown(refused)).toBe('fetch failed: connect ECONNREFUSED')
  })

  it('an existing lock file is recognized even if the error is from another realm', async () => {
    expect(await unless('EEXIST', Promise.reject(foreign('exists', { code: 'EEXIST' })))).toBeUndefined()
    await expect(unless('EEXIST', Promise.reject(undefined))).rejects.toBeUndefined()
  })
})
