import { readFileSync } from 'node:fs'
import { defineConfig } from 'vitepress'

// Written by ../build.ts: the navigation with titles.
const { nav, sidebar } = JSON.parse(readFileSync(new URL('../pages/navigation.json', import.meta.url), 'utf8'))

/** Slugs as on GitHub, so the same links work on GitHub and on the site. */
const slugify = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

export default defineConfig({
  title: 'latchkey',
  description: 'Drop-in authentication middleware for API tokens',
  srcDir: 'pages',
  outDir: 'dist',
  base: process.env.SITE_BASE ?? '/',
  cleanUrls: true,
  // Dead links fail the build.
  ignoreDeadLinks: false,
  // Braces at the end of a line are text, as on GitHub.
  markdown: { html: false, anchor: { slugify }, attrs: { disable: true } },
  themeConfig: { nav, sidebar, search: { provider: 'local' }, outline: [2, 3] },
})
