import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const folder = fileURLToPath(new URL('../../src/dashboard/page', import.meta.url))
const styles = (await readdir(folder, { recursive: true }))
  .filter((path) => path.endsWith('.css'))
  .map((path) => path.replaceAll('\\', '/'))

describe('styles of the dashboard page', () => {
  it('every stylesheet of the dashboard has at most 300 lines', async () => {
    const long = await Promise.all(
      styles.map(async (path) => [path, (await readFile(`${folder}/${path}`, 'utf8')).split('\n').length] as const),
    )
    expect(long.filter(([, lines]) => lines > 300)).toEqual([])
  })

  it('page.css imports every stylesheet of the dashboard', async () => {
    const list = await readFile(`${folder}/page.css`, 'utf8')
    expect([...list.matchAll(/@import "\.\/(.+)";/g)].map(([, path]) => path).sort()).toEqual(
      styles.filter((path) => path !== 'page.css').sort(),
    )
  })
})
