// Pictures of every state of the page: `npm run screenshots -- [name…] [--out folder] [--languages en,de,ar] [--widths 320,1440] [--themes light,dark]`.
// `npm run screenshots -- --docs` takes those of the docs.
import { mkdir, rename } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import type { Browser } from 'playwright-core'
import { textsOf } from '../../src/dashboard/texts/languages.js'
import { type TextKey, texts } from '../../src/dashboard/texts.js'
import { findChromium, launch } from './support/browser.js'
import { startWorld } from './support/host.js'
import { SCENES, type Scene } from './support/scenes.js'
import { seed } from './support/seed.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: 'node_modules/.cache/screenshots' },
    languages: { type: 'string', default: 'en' },
    widths: { type: 'string', default: '1440,390' },
    themes: { type: 'string', default: 'light,dark' },
    docs: { type: 'boolean', default: false },
  },
})

type Look = { readonly language: string; readonly width: number; readonly theme: 'light' | 'dark' }

/** The pictures of the docs, small: a dialog is shown without the page that it lies over. */
const DOCS = { tokens: 'list', token: 'detail', 'shown-once': 'create-shown-once' } as const

async function shoot(browser: Browser, scene: Scene, { language, width, theme }: Look, path: string): Promise<void> {
  const chosen = { language, signIn: '/login', exampleUrl: 'https://api.example.com/stock' }
  const world = await startWorld({ allowWildcard: true, ...scene.options }, chosen)
  const context = await browser.newContext({
    viewport: { width, height: width < 700 ? 844 : 900 },
    colorScheme: theme,
    deviceScaleFactor: 1,
    locale: language === 'en' ? 'en-GB' : language,
    reducedMotion: 'reduce',
  })
  try {
    const ids = scene.empty ? new Map<string, string>() : await seed(world)
    await context.addCookies([{ name: 'user', value: scene.user ?? 'root', url: world.origin }])
    const page = await context.newPage()
    await page.goto(`${world.url}${scene.at?.(ids) ?? ''}`, { waitUntil: 'networkidle' })
    const t = (key: TextKey): string => {
      const text = textsOf(language)?.[key] ?? texts[key]
      return text.replace('{Client}', textsOf(language)?.['word.client'] ?? texts['word.client'])
    }
    await scene.act?.({ page, world, ids, t })
    await page.waitForTimeout(250)
    const part = values.docs ? page.locator('dialog[open]') : undefined
    if ((await part?.count()) === 1) await part?.screenshot({ path })
    else await page.screenshot({ path, fullPage: scene.whole === true })
  } finally {
    await context.close()
    await world.close()
  }
}

async function shootAll(browser: Browser): Promise<void> {
  const unknown = positionals.filter((name) => !Object.hasOwn(SCENES, name))
  if (unknown.length > 0) throw new Error(`there is no scene ${unknown.join(', ')}; there are ${Object.keys(SCENES).join(', ')}`)
  for (const [name, scene] of Object.entries(SCENES)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue
    for (const language of values.languages.split(','))
      for (const theme of values.themes.split(',') as Look['theme'][])
        for (const width of values.widths.split(',').map(Number))
          await shoot(browser, scene, { language, width, theme }, `${values.out}/${name}-${language}-${width}-${theme}.png`)
    console.log(name)
  }
}

async function shootDocs(browser: Browser): Promise<void> {
  for (const [file, name] of Object.entries(DOCS)) {
    const path = `docs/images/${file}.png`
    await shoot(browser, SCENES[name] ?? {}, { language: 'en', width: 1440, theme: 'light' }, `${path}.new.png`)
    await rename(`${path}.new.png`, path)
  }
}

const { path, skip } = findChromium()
if (path === undefined) throw new Error(skip)
await mkdir(values.out, { recursive: true })
const browser = await launch(path)
try {
  await (values.docs ? shootDocs(browser) : shootAll(browser))
} finally {
  await browser.close()
}
