// Prints a manifest of what users get: the dependencies, and the bundled packages in the versions that the notices of the build list.
import { readFileSync } from 'node:fs'

const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
const { name, version, license, dependencies } = JSON.parse(read('package.json'))
const notices = read('dist/third-party-notices.txt')
const bundled = notices.matchAll(/^((?:@[^\s/]+\/)?[^\s/]+) (\d+\.\d+\.\d+\S*) \([^()]+\)$/gm)
const versions = Object.fromEntries(Array.from(bundled, ([, name, version]) => [name, version]))
if (Object.keys(versions).length !== notices.split(`\n${'-'.repeat(80)}\n`).length - 1) throw new Error('a notice has no readable version')
console.log(JSON.stringify({ name, version, license, dependencies: { ...versions, ...dependencies } }))
