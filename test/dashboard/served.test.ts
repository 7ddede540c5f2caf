import { readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { readableOn, textOn } from '../../src/dashboard/colour.js'
import { createDashboard, type DashboardOptions } from '../../src/dashboard/index.js'
import { admin, harness } from '../management/support.js'
import { bundle } from '../tools/page.js'

const html = { accept: 'text/html' }
const MAX_BYTES = 60_000

describe('the page as it is served', () => {
  it('is static: the same bytes for everybody, and under a policy without exceptions', async () => {
    const { call, create } = harness()
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

  it('answers why, to those whose request the API refuses', async () => {
    const { call } = harness()
    const broken = () => Promise.reject(new Error('x'))
    expect((await call('GET', '/', { actor: broken, headers: html })).status).toBe(503)
    const { token } = await harness().create(admin)
    expect((await call('GET', '/', { actor: admin, headers: { ...html, authorization: `Bearer ${token}` } })).status).toBe(403)
    expect((await call('GET', '/?limit=oops', { actor: admin, headers: html })).status).toBe(200)
  })

  it('serves its parts to everybody, compressed for those who take it, and nothing else', async () => {
    const { call } = harness()
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
    expect((await harness({}, { dashboard: false }).call('GET', '/page.js')).status).toBe(401)
  })

  it('weighs at most 60 KB compressed, all of it', async () => {
    const { call } = harness()
    const parts = await Promise.all(['/page.js', '/page.css', '/icon.svg'].map((path) => call('GET', path)))
    const page = await call('GET', '/', { actor: admin, headers: html })
    const bytes = [...parts, page].reduce((sum, { text }) => sum + gzipSync(text, { level: 9 }).length, 0)
    expect(bytes).toBeLessThanOrEqual(MAX_BYTES)
    expect(bytes).toBeGreaterThan(20_000)
  })

  it('was made from the sources as they are: else run `npm run page`', async () => {
    expect(await readFile(new URL('../../src/dashboard/assets.ts', import.meta.url), 'utf8')).toBe(await bundle())
  })

  it('finds its parts beside itself, with and without a slash at the end', () => {
    const { page } = createDashboard({})
    const folder = async (url: string): Promise<string | undefined> =>
      / src="([^"]*)page\.js"/.exec(await page(new Request(url), 200).text())?.[1]
    return Promise.all([
      expect(folder('http://x/admin/tokens')).resolves.toBe('./tokens/'),
      expect(folder('http://x/admin/tokens/?q=1')).resolves.toBe('./'),
      expect(folder('http://x/')).resolves.toBe('./'),
    ])
  })
})

describe('the options of the page', () => {
  it('are in its document, as text', async () => {
    const { page } = createDashboard({
      title: '"><script>',
      texts: { 'app.title': "'</html>" },
      language: 'de',
      theme: 'dark',
      signIn: '/in?next=%2F',
    })
    const text = await page(new Request('http://x/t'), 200).text()
    expect(text).toContain('<html lang="de" data-theme="dark"')
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
    { theme: 'pink' },
    { locale: 'not a tag' },
    { exampleUrl: 'javascript:x' },
    { envName: 'A B' },
    { texts: { 'no.such.text': 'x' } },
    { colour: '#ffffff' },
  ])('are refused when unsound: %j', (options) => {
    expect(() => createDashboard(options as DashboardOptions)).toThrow(expect.objectContaining({ code: 'invalid_input' }))
  })

  it('let images in from a data URL only where the logo is one', () => {
    const policyOf = (options: DashboardOptions) =>
      createDashboard(options).page(new Request('http://x/'), 200).headers.get('content-security-policy')
    expect(policyOf({ logo: 'data:image/svg+xml;base64,PHN2Zy8+' })).toContain("img-src 'self' data:;")
    expect(policyOf({ logo: '/logo.svg' })).toContain("img-src 'self';")
  })

  it('bring every colour to where it can be read', () => {
    expect(textOn('#ffe94d')).toBe('#14171c')
    expect(textOn('#3550d6')).toBe('#ffffff')
    expect(readableOn('#3550d6', '#ffffff')).toBe('#3550d6')
    expect(readableOn('#ffe94d', '#ffffff')).not.toBe('#ffe94d')
  })
})
