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

/** An error as the platform throws it into a Jest test: of another realm, so no `instanceof Error`. */
const foreign = (message: string, fields: object): Error =>
  runInNewContext('Object.assign(new Error(message), fields)', { message, fields: { ...fields } })

/** The errors of a second copy of the package in this process. */
const secondCopy = async (): Promise<typeof import('latchkey')> => {
  vi.resetModules()
  return await import('latchkey')
}

const site: CallSite = { what: 'the store', where: 'store.find', deadlineMs: 1000, report: () => undefined }

describe('isLatchkeyError', () => {
  it('recognizes every error class of this copy', () => {
    for (const error of [new InvalidInputError('a', 'b'), new StoreUnavailableError('c'), new LatchkeyError('closed', 'd')]) {
      expect(isLatchkeyError(error)).toBe(true)
    }
  })

  it('recognizes the errors of a second copy, which instanceof does not', async () => {
    const other = await secondCopy()
    const error = new other.ConflictError('conflict', 'changed meanwhile', { version: 3 })
    expect(error).not.toBeInstanceOf(ConflictError)
    expect(isLatchkeyError(error)).toBe(true)
    expect(other.isLatchkeyError(new ConflictError('conflict', 'changed meanwhile'))).toBe(true)
  })

  it.each([undefined, null, 'conflict', 1, {}, new Error('x'), Object.assign(new Error('x'), { code: 'conflict', status: 409 })])(
    'is false for %o',
    (value) => expect(isLatchkeyError(value)).toBe(false),
  )

  it('is false for a value whose fields cannot be read', () => {
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

  it('leaves no trace of its mark in what is printed or compared', () => {
    const error = new InvalidInputError('a', 'b')
    expect(Object.keys(error)).not.toContain('Symbol(latchkey.error)')
    expect(Object.getOwnPropertySymbols({ ...error })).toEqual([])
  })
})

describe('an error of another realm', () => {
  it('is read by every store as what it is: a refused connection is told as one', () => {
    const refused = foreign('connect ECONNREFUSED 127.0.0.1:5432', { code: 'ECONNREFUSED', errno: -111 })
    expect(refused).not.toBeInstanceOf(Error)
    expect(postgresQuirks.faultOf(refused)).toBe('connection')
    expect(mysqlQuirks.faultOf(refused)).toBe('connection')
    expect(unavailable('postgres', postgresQuirks.faultOf, refused).message).toContain('cannot be reached')
    expect(redisFailure(refused).message).toContain('nothing answers there')
  })

  it('is read through an AggregateError of several addresses', () => {
    const refused = foreign('', { errors: [foreign('connect ECONNREFUSED ::1:6379', { code: 'ECONNREFUSED' })] })
    expect(redisFailure(refused).message).toContain('nothing answers there')
  })

  it('is read by SQLite as what it is', () => {
    expect(sqliteQuirks.faultOf(foreign('database is locked', { code: 'SQLITE_BUSY' }))).toBe('contention')
  })

  it('keeps its name and code as the cause of the outage that it becomes', () => {
    const thrown = foreign('x', { code: 'ECONNREFUSED' })
    const call = () => {
      throw thrown
    }
    expect(() => callOut(site, call)).toThrow(expect.objectContaining({ cause: 'Error ECONNREFUSED' }))
  })
})

describe('an error of another copy', () => {
  it('passes through a store and a deadline unchanged', async () => {
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

describe('errors of another copy or realm, where the library reads them', () => {
  it('a refusal of another copy is answered by the management API as what it is, with the field', async () => {
    const other = await secondCopy()
    const response = problemResponse(new other.InvalidInputError('name', 'must be a string'))
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ code: 'invalid_input', errors: [{ in: 'body', pointer: '#/name', detail: 'must be a string' }] }),
    ])
  })

  it('a conflict of another copy is answered as a conflict, with its version', async () => {
    const other = await secondCopy()
    const response = problemResponse(new other.ConflictError('conflict', 'changed meanwhile', { version: 3 }))
    expect([response.status, response.headers.get('etag')]).toEqual([412, expect.stringContaining('3')])
  })

  it('an error that only claims the brand, with a status of its own, gets the status of its code', async () => {
    const forged = Object.assign(new Error('x'), { [Symbol.for('latchkey.error')]: true, code: 'invalid_input', status: 200, issues: [] })
    expect(problemResponse(forged).status).toBe(400)
  })

  it("the client tells the cause of a failure of another realm's", () => {
    const refused = runInNewContext("Object.assign(new TypeError('fetch failed'), { cause: new Error('connect ECONNREFUSED') })")
    expect(describeThrown(refused)).toBe('fetch failed: connect ECONNREFUSED')
  })

  it('a lock file that is there already is known as one, though the error is of another realm', async () => {
    expect(await unless('EEXIST', Promise.reject(foreign('exists', { code: 'EEXIST' })))).toBeUndefined()
    await expect(unless('EEXIST', Promise.reject(undefined))).rejects.toBeUndefined()
  })
})
