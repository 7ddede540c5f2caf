import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'

// Validates every GitHub Actions workflow against the workflow schema. The validator takes one file at a time.
const FOLDER = '.github/workflows'
const invalid = readdirSync(FOLDER).filter((file) => {
  const { status, stdout, stderr } = spawnSync('npx', ['--no-install', 'action-validator', `${FOLDER}/${file}`], { encoding: 'utf8' })
  if (status !== 0) console.error(`${file}: ${stdout}${stderr}`)
  return status !== 0
})
if (invalid.length > 0) process.exitCode = 1
