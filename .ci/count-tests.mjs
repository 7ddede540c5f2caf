import { readFileSync } from 'node:fs'

// Prints `passed failed skipped` of a vitest JSON report. Also names failed and skipped tests, with the reason, because the end of a log is
// where people look. A file that failed to load counts as one failure.
const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const short = (text) => String(text).split('\n    at ')[0].slice(0, 600).replaceAll('\n', '\n        ')
const skipped = []
const unloaded = []
for (const { name, status, message, assertionResults } of report.testResults) {
  const file = name.replace(`${process.cwd()}/`, '')
  for (const test of assertionResults) {
    if (test.status === 'failed') console.error(`      failed: ${file}: ${test.fullName}: ${short(test.failureMessages.join('\n'))}`)
    else if (test.status !== 'passed') skipped.push(`${file}: ${test.fullName}`)
  }
  if (status === 'failed' && assertionResults.every((test) => test.status !== 'failed')) unloaded.push(`${file}: ${short(message)}`)
}
for (const test of skipped) console.error(`      skipped: ${test}`)
for (const file of unloaded) console.error(`      failed: ${file}`)
const failed = report.numFailedTests + unloaded.length
console.log(report.numPassedTests, failed === 0 && !report.success ? 1 : failed, skipped.length)
