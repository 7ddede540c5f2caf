import { readFile } from 'node:fs/promises'
import { describe, expect, it, vi } from 'vitest'
import { createGuard } from '../../src/http/authenticate.js'
import { type Warning, type WarningCode, warn } from '../../src/http/diagnostics.js'
import { createScopeCheck } from '../../src/http/require-scopes.js'
import { allowing, type FakeRequest, fakePlatform, fakePrincipal, fakeTokens, withToken } from './fake.js'

const forwarded: FakeRequest = { headers: ['Authorization', 'Bearer x', 'X-Forwarded-For', '203.0.113.7'], ip: '10.0.0.1' }

function collector(): { readonly told: Warning[]; readonly onWarning: (warning: Warning) => void } {
  const told: Warning[] = []
  return { told, onWarning: (warning) => void told.push(warning) }
}

describe('warnings', () => {
  it('a warning is reported once per code and subject', () => {
    const { told, onWarning } = collector()
    for (let turn = 0; turn < 3; turn += 1) {
      warn('LATCHKEY_W004', onWarning, 'a:b')
      warn('LATCHKEY_W004', onWarning, 'c:d')
      warn('LATCHKEY_W001', onWarning)
    }
    expect(told.map(({ code }) => code)).toEqual(['LATCHKEY_W004', 'LATCHKEY_W004', 'LATCHKEY_W001'])
  })

  it('at most twenty warnings of one code are reported, and other codes are still reported', () => {
    const { told, onWarning } = collector()
    for (let turn = 0; turn < 500; turn += 1) warn('LATCHKEY_W004', onWarning, `s${turn}`)
    expect(told.length).toBeLessThanOrEqual(20)
    warn('LATCHKEY_W003', onWarning)
    expect(told.at(-1)?.code).toBe('LATCHKEY_W003')
  })

  it('the suggestion for a misspelled scope is computed once, however many requests its route refuses', async () => {
    const { told, onWarning } = collector()
    const suggest = vi.fn(() => 'inventory:read')
    const tokens = fakeTokens(() => allowing(fakePrincipal(['inventory:read'])), { catalogue: { 'inventory:read': 'Read' }, suggest })
    const guard = createGuard(tokens, { onWarning }, fakePlatform())
    const check = createScopeCheck<FakeRequest>(['inventory:raed'])
    for (let turn = 0; turn < 3; turn += 1) {
      const request = withToken()
      await guard(request)
      expect(await check(request)).toMatchObject({ status: 403 })
    }
    expect(told.map(({ message }) => message)).toEqual([expect.stringContaining('inventory:raed; did you mean inventory:read?')])
    expect(suggest).toHaveBeenCalledTimes(1)
  })

  it('a warning listener that throws or rejects causes no error', async () => {
    expect(() =>
      warn('LATCHKEY_W001', () => {
        throw undefined
      }),
    ).not.toThrow()
    warn('LATCHKEY_W001', () => Promise.reject(undefined))
    await new Promise((resolve) => setTimeout(resolve, 5))
  })

  it('warnings go to process.emitWarning with their code by default', () => {
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    try {
      warn('LATCHKEY_W004', undefined, 'only:here')
      warn('LATCHKEY_W004', undefined, 'only:here')
      expect(emit).toHaveBeenCalledTimes(1)
      expect(emit).toHaveBeenCalledWith(expect.stringContaining('only:here'), { type: 'LatchkeyWarning', code: 'LATCHKEY_W004' })
    } finally {
      emit.mockRestore()
    }
  })

  it('every warning links to its section on the diagnostics page', async () => {
    const page = await readFile(new URL('../../docs/diagnostics.md', import.meta.url), 'utf8')
    const { told, onWarning } = collector()
    const codes = Array.from({ length: 15 }, (_, at) => `LATCHKEY_W0${String(at + 1).padStart(2, '0')}` as WarningCode)
    for (const code of codes) warn(code, onWarning)
    for (const { code, docs } of told) {
      expect(docs).toBe(`node_modules/latchkey/docs/diagnostics.md#${code.toLowerCase()}`)
      expect(page).toContain(`## ${code}\n`)
    }
    expect(told).toHaveLength(15)
  })
})

describe('setup mistakes', () => {
  const denied = fakeTokens(() => ({ ok: false, code: 'ip_denied' }))

  it('an untrusted proxy causes one warning when a token has allowedIps', () => {
    const { told, onWarning } = collector()
    createGuard(denied, { onWarning }, fakePlatform(false))(forwarded)
    createGuard(denied, { onWarning }, fakePlatform(false))(forwarded)
    expect(told.map(({ code }) => code)).toEqual(['LATCHKEY_W003'])
  })

  it('no proxy warning is reported when the proxy is trusted, when there is no proxy, or when the refusal has another cause', () => {
    const { told, onWarning } = collector()
    createGuard(denied, { onWarning }, fakePlatform(true))(forwarded)
    createGuard(denied, { onWarning }, fakePlatform(undefined))(forwarded)
    createGuard(denied, { onWarning }, fakePlatform(false))({ ...withToken(), ip: '10.0.0.1' })
    createGuard(
      fakeTokens(() => ({ ok: false, code: 'token_revoked' })),
      { onWarning },
      fakePlatform(false),
    )(forwarded)
    expect(told).toEqual([])
  })

  it('a missing address for a token with allowedIps causes a warning', () => {
    const { told, onWarning } = collector()
    createGuard(denied, { onWarning }, fakePlatform())(withToken())
    expect(told.map(({ code }) => code)).toEqual(['LATCHKEY_W005'])
  })

  it('an address that is not an IP address, with or without a port, causes a warning for allowedIps', () => {
    const { told, onWarning } = collector()
    createGuard(denied, { onWarning }, fakePlatform())({ ...withToken(), ip: '203.0.113.7:54321' })
    expect(told).toEqual([])
    createGuard(denied, { onWarning }, fakePlatform())({ ...withToken(), ip: 'unix:' })
    expect(told.map(({ code }) => code)).toEqual(['LATCHKEY_W005'])
  })

  it('a proxy that changes Host causes one warning, whatever origins callers send', async () => {
    const { told, onWarning } = collector()
    const session = { onWarning, session: () => ({ id: 'anna', scopes: '*' as const }) }
    const guard = createGuard(denied, session, fakePlatform(true))
    for (const origin of ['https://admin.example.com', 'https://evil.test']) {
      const { response } = await guard({ method: 'POST', headers: ['Host', '10.0.0.7:3000', 'Origin', origin], ip: '10.0.0.1' })
      expect(response?.code).toBe('cross_site')
    }
    const both = expect.stringMatching(/"https:\/\/admin\.example\.com".*"10\.0\.0\.7:3000"/)
    expect(told).toEqual([expect.objectContaining({ code: 'LATCHKEY_W012', message: both })])
  })

  it('a required scope that is not in the catalogue causes a warning with a suggestion', async () => {
    const { told, onWarning } = collector()
    const request = withToken()
    await createGuard(
      fakeTokens(() => allowing(fakePrincipal(['a:read'])), { suggest: () => 'a:read' }),
      { onWarning },
      fakePlatform(),
    )(request)
    await createScopeCheck<FakeRequest>([{ any: ['a:raed', 'a:read'] }])(request)
    await createScopeCheck<FakeRequest>(['a:raed'])(request)
    expect(told).toEqual([
      expect.objectContaining({ code: 'LATCHKEY_W004', message: expect.stringMatching(/: a:raed; did you mean a:read\?$/) }),
    ])
  })

  it('a route without a guard is named in one warning per route, or by its scopes if it has no name', async () => {
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    try {
      const routes = ['GET /one', 'GET /two', 'GET /one', ...Array.from({ length: 50 }, (_, at) => `GET /t/${at}`)]
      let route = ''
      const named = createScopeCheck<FakeRequest>(['a:read'], () => route)
      for (route of routes) await named(withToken())
      await createScopeCheck<FakeRequest>(['a:write'])(withToken())
      const told = emit.mock.calls.map(([text]) => String(text))
      expect(told[0]).toContain('the handler did not run: GET /one (see')
      expect(told[1]).toContain('GET /two')
      expect(told.at(-1)).toContain('a route that requires a:write')
      expect(told).toHaveLength(9)
      expect(emit).toHaveBeenCalledWith(expect.anything(), expect.objectContaining({ code: 'LATCHKEY_W002' }))
    } finally {
      emit.mockRestore()
    }
  })
})
