import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { bundle } from '../../support/bundle.js'
import { buildCommit, buildStart } from '../start/build.js'

/** The last commit of 0.1.0. */
export const BEFORE = '3b4a9f6'

/** The programs of the section `requests`: its server, a build of these sources, and a build of 0.1.0. */
export type RequestBuilds = { readonly server: string; readonly here: string; readonly before: string }

/** Builds all three into a folder. */
export async function buildRequests(folder: string): Promise<RequestBuilds> {
  mkdirSync(folder, { recursive: true })
  const here = await buildStart(join(folder, 'here'))
  const before = await buildCommit(join(folder, 'before'), BEFORE)
  return { server: await bundle(new URL('./server.ts', import.meta.url), folder), here: here.folder, before: before.folder }
}
