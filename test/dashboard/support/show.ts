import type { Browser, Page } from 'playwright-core'
import { textsOf } from '../../../src/dashboard/texts/languages.js'
import { type TextKey, texts } from '../../../src/dashboard/texts.js'
import { startWorld } from './host.js'
import type { Scene } from './scene.js'
import { seed } from './seed.js'

/** Language, window width and theme for a scene. */
export type Look = { readonly language: string; readonly width: number; readonly theme: 'light' | 'dark' }

/** Opens a scene, passes its page to `see`, and closes everything. */
export async function showScene(browser: Browser, scene: Scene, look: Look, see: (page: Page) => Promise<unknown>): Promise<void> {
  const { language, width, theme } = look
  const world = await startWorld(
    { allowWildcard: true, ...scene.options },
    { language, signIn: '/login', exampleUrl: 'https://api.example.com/stock' },
    scene.start,
  )
  const context = await browser.newContext({
    viewport: { width, height: width < 700 ? 844 : 900 },
    colorScheme: theme,
    deviceScaleFactor: 1,
    locale: language === 'en' ? 'en-GB' : language,
    reducedMotion: 'reduce',
    ...scene.context,
  })
  try {
    const ids = scene.empty ? new Map<string, string>() : await seed(world)
    await scene.before?.({ world, ids })
    await context.addCookies([{ name: 'user', value: scene.user ?? 'root', url: world.origin }])
    const page = await context.newPage()
    await page.goto(`${world.url}${scene.at?.(ids) ?? ''}`, { waitUntil: 'networkidle' })
    await scene.act?.({ page, world, ids, t: (key) => textIn(language, key) })
    await see(page)
  } finally {
    await context.close()
    await world.close()
  }
}

function textIn(language: string, key: TextKey): string {
  const textOf = (wanted: TextKey): string => textsOf(language)?.[wanted] ?? texts[wanted]
  return textOf(key).replace('{Client}', textOf('word.client')).replace('{client}', textOf('word.client').toLowerCase())
}
