import { spawnSync } from 'node:child_process'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { readableOn, textOn } from '../../src/dashboard/colour.js'
import { type DashboardOptions, dashboard } from '../../src/dashboard/index.js'
import { admin, type Harness, harness } from '../management/support.js'
import { bundle, requirePage } from '../tools/page.js'

const html = { accept: 'text/html' }
const MAX_BYTES = 91_000

const withPage = (): Harness => harness({}, { dashboard: dashboard() })

describe('the served page', () => {
  it('the served page is static, has the same bytes for everyone and a strict Content-Security-Policy', async () => {
    const { call, create } = withPage()
    await create(admin, { name: 'Secret plan' })
    const [one, nobody] = [await call('GET', '/', { actor: admin, headers: html }), await call('GET', '/', { headers: html })]
    expect([one.status, nobody.status]).toEqual([200, 401])
    expect(nobody.text).toBe(one.text)
    expect(one.text).not.toMatch(/Secret plan|ada|acme/)
    expect(one.text).not.toMatch(/<script(?![^>]* src=)|<style|\son\w+=|javascript:|https?:/)
    const policy = one.headers.get('content-security-policy') ?? ''
    for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]) {
      expect(policy.split('; ')).toContain(rule)
    }
    expect(policy).not.toMatch(/unsafe|\*|https?:|data:/)
    expect(Object.fromEntries(one.headers)).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
      'content-type': 'text/html; charset=utf-8',
    })
  })

  it("the served page has the API's status when the API rejects the request", async () => {
    const { call } = withPage()
    const broken = () => Promise.reject(new Error('x'))
    expect((await call('GET', '/', { actor: broken, headers: html })).status).toBe(503)
    const { token } = await harness().create(admin)
    expect((await call('GET', '/', { actor: admin, headers: { ...html, authorization: `Bearer ${token}` } })).status).toBe(403)
    expect((await call('GET', '/?limit=oops', { actor: admin, headers: html })).status).toBe(200)
  })

  it("the page's assets are served to everyone, compressed if accepted, and nothing else is served", async () => {
    const { call } = withPage()
    for (const [path, type] of [
      ['/page.js', 'text/javascript; charset=utf-8'],
      ['/page.css', 'text/css; charset=utf-8'],
      ['/icon.svg', 'image/svg+xml'],
    ] as const) {
      const plain = await call('GET', path)
      expect([plain.status, plain.headers.get('content-type'), plain.headers.get('content-encoding')]).toEqual([200, type, null])
      expect(plain.headers.get('x-content-type-options')).toBe('nosniff')
      const zipped = await call('GET', path, { headers: { 'accept-encoding': 'br, gzip' } })
      expect(zipped.headers.get('content-encoding')).toBe('gzip')
      expect((await call('GET', path, { headers: { 'accept-encoding': 'gzip;q=0' } })).headers.get('content-encoding')).toBeNull()
      expect((await call('POST', path, { body: {} })).status).toBeGreaterThanOrEqual(401)
    }
    expect((await call('GET', '/page.ts')).status).toBe(401)
    expect((await harness().call('GET', '/page.js')).status).toBe(401)
  })

  it('the page and its assets total at most 91 KB compressed', async () => {
    const { call } = withPage()
    const parts = await Promise.all(['/page.js', '/page.css', '/icon.svg'].map((path) => call('GET', path)))
    const page = await call('GET', '/', { actor: admin, headers: html })
    const bytes = [...parts, page].reduce((sum, { text }) => sum + gzipSync(text, { level: 9 }).length, 0)
    expect(bytes).toBeLessThanOrEqual(MAX_BYTES)
    expect(bytes).toBeGreaterThan(20_000)
  })

  it('the page finds its assets relative to its URL, with and without a trailing slash', () => {
    const { page } = dashboard()
    const folder = async (url: string): Promise<string | undefined> =>
      / src="([^"]*)page\.js"/.exec(await page(new Request(url), 200).text())?.[1]
    return Promise.all([
      expect(folder('http://x/admin/tokens')).resolves.toBe('./tokens/'),
      expect(folder('http://x/admin/tokens/?q=1')).resolves.toBe('./'),
      expect(folder('http://x/')).resolves.toBe('./'),
    ])
  })
})

describe('the build of the page', () => {
  const prepare = fileURLToPath(new URL('../tools/prepare.mjs', import.meta.url))

  it('the built page matches its sources (run `npm run page` after a change)', async () => {
    const { script, style } = await import('../../src/dashboard/assets.js')
    const module = await bundle()
    expect(module).toContain(JSON.stringify(style).slice(1, -1).replace(/\\"/g, '"').replace(/'/g, "\\'"))
    expect(module).toContain(JSON.stringify(script).slice(1, -1).replace(/\\"/g, '"').replace(/'/g, "\\'"))
  })

  it('the page build is skipped with one line when development dependencies are missing, and fails with --required', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-prepare-'))
    try {
      await copyFile(prepare, join(folder, 'prepare.mjs'))
      const run = (...args: string[]) =>
        spawnSync(process.execPath, [join(folder, 'prepare.mjs'), ...args], { encoding: 'utf8', cwd: folder })
      const [skipped, refused] = [run(), run('--required')]
      expect([skipped.status, skipped.stderr]).toEqual([0, ''])
      expect(skipped.stdout).toMatch(/^latchkey: the page was not built: development dependencies are not installed \(.*\)\.\n$/)
      expect(refused.status).toBe(1)
      expect(refused.stdout).toMatch(/cannot build the page: .* run `npm ci` first/)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('building the package fails when the page was not built', () => {
    expect(() => requirePage('/nowhere/assets.js')).toThrow(/The page is not built.*`npm run page`/)
    expect(() => requirePage()).not.toThrow()
  })
})

describe('dashboard options', () => {
  it('dashboard options appear escaped in the document', async () => {
    const { page } = dashboard({
      title: '"><script>',
      texts: { 'app.title': "'</html>" },
      language: 'de',
      theme: 'dark',
      signIn: '/in?next=%2F',
    })
    const text = await page(new Request('http://x/t'), 200).text()
    expect(text).toContain('<html lang="de" dir="ltr" data-theme="dark"')
    expect(text).not.toContain('"><script>')
    const config = / data-config="([^"]*)"/
      .exec(text)?.[1]
      ?.replace(/&quot;/g, '"')
      .replace(/&lt;/g, '<')
      .replace(/&gt;/g, '>')
      .replace(/&amp;/g, '&')
    expect(JSON.parse(config ?? '')).toMatchObject({ title: '"><script>', texts: { 'app.title': "'</html>" }, signIn: '/in?next=%2F' })
  })

  it.each([
    { logo: 'https://elsewhere.test/logo.svg' },
    { logo: '//elsewhere.test/logo.svg' },
    { logo: 'data:text/html,x' },
    { signIn: 'javascript:alert(1)' },
    { signIn: '//elsewhere.test' },
    { signIn: '/\\elsewhere.test' },
    { accent: 'red' },
    { accent: '#fff;}body{display:none' },
    { font: 'x;}body{display:none' },
    { radius: '1px;color:red' },
    { colors: { text: 'red' } },
    { colors: { text: { light: '#ffffff' } } },
    { colors: { accents: '#ffffff' } },
    { userUrl: '/users' },
    { userUrl: 'javascript:{id}' },
    { clientUrl: '//elsewhere.test/{id}' },
    { clientUrl: 'http://elsewhere.test/{id}' },
    { back: { url: 'javascript:x', text: 'x' } },
    { frameAncestors: ['*'] },
    { frameAncestors: ["https://a.test; script-src 'unsafe-inline'"] },
    { clientName: { one: 'Tenant' } },
    { metadata: [{ key: 'team' }] },
    { exampleMethod: 'TRACE' },
    { theme: 'pink' },
    { locale: 'not a tag' },
    { exampleUrl: 'javascript:x' },
    { envName: 'A B' },
    { texts: { 'no.such.text': 'x' } },
    { colour: '#ffffff' },
  ])('dashboard() rejects the invalid options %j', (options) => {
    expect(() => dashboard(options as DashboardOptions)).toThrow(expect.objectContaining({ code: 'invalid_input' }))
  })

  it('the Content-Security-Policy allows data: images only if the logo is a data: image', () => {
    const policyOf = (options: DashboardOptions) =>
      dashboard(options).page(new Request('http://x/'), 200).headers.get('content-security-policy')
    expect(policyOf({ logo: 'data:image/svg+xml;base64,PHN2Zy8+' })).toContain("img-src 'self' data:;")
    expect(policyOf({ logo: '/logo.svg' })).toContain("img-src 'self';")
  })

  it('the page can be framed only by the configured origins', () => {
    const headersOf = (options: DashboardOptions) => dashboard(options).page(new Request('http://x/'), 200).headers
    expect(headersOf({}).get('x-frame-options')).toBe('DENY')
    expect(headersOf({}).get('content-security-policy')).toContain("frame-ancestors 'none';")
    const framed = headersOf({ frameAncestors: ['https://app.example.com', 'self'] })
    expect(framed.get('x-frame-options')).toBeNull()
    expect(framed.get('content-security-policy')).toContain("frame-ancestors https://app.example.com 'self';")
  })

  it('colors, font and radius change only the stylesheet, not the document', async () => {
    const page = dashboard({
      font: 'Inter, sans-serif',
      radius: '4px',
      colors: { page: '#fafafa', text: { light: '#111111', dark: '#eeeeee' } },
    })
    const style = await (await page.asset(new Request('http://x/page.css'), '/page.css')).text()
    expect(style).toContain(':root{--page:#fafafa;--text:light-dark(#111111,#eeeeee);--font:Inter, sans-serif;--round:4px}')
    expect(await page.page(new Request('http://x/'), 200).text()).not.toMatch(/Inter|4px|fafafa/)
  })

  it('colors are adjusted until they are readable', () => {
    expect(textOn('#ffe94d')).toBe('#14171c')
    expect(textOn('#3550d6')).toBe('#ffffff')
    expect(readableOn('#3550d6', '#ffffff')).toBe('#3550d6')
    expect(readableOn('#ffe94d', '#ffffff')).not.toBe('#ffe94d')
  })
})
