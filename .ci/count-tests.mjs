import { readFileSync } from 'node:fs'

// Prints `passed failed skipped` of a vitest JSON report, and names what was skipped. A file that failed to load counts as one failure.
const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const skipped = report.testResults.flatMap(({ assertionResults }) =>
  assertionResults.filter(({ status }) => status !== 'passed' && status !== 'failed'),
)
const unloaded = report.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && assertionResults.every((t) => t.status !== 'failed'),
)
for (const { fullName } of skipped) console.error(`      skipped: ${fullName}`)
const failed = report.numFailedTests + unloaded.length
console.log(report.numPassedTests, failed === 0 && !report.success ? 1 : failed, skipped.length)
