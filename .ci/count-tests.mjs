import { readFileSync } from 'node:fs'

// Prints `passed failed skipped` of a vitest JSON report. Also names failed and skipped tests, with the reason, because the end of a log is
// where people look. A file that failed to load counts as one failure. So does a run that ended with an exit code other than 0 although no test
// failed, as after an unhandled rejection, which the report does not mention.
const [, , file, ended] = process.argv
const report = JSON.parse(readFileSync(file, 'utf8'))
const short = (text) => String(text).split('\n    at ')[0].slice(0, 600).replaceAll('\n', '\n        ')
const skipped = []
const unloaded = []
for (const { name, status, message, assertionResults } of report.testResults) {
  const path = name.replace(`${process.cwd()}/`, '')
  for (const test of assertionResults) {
    if (test.status === 'failed') console.error(`      failed: ${path}: ${test.fullName}: ${short(test.failureMessages.join('\n'))}`)
    else if (test.status !== 'passed') skipped.push(`${path}: ${test.fullName}`)
  }
  if (status === 'failed' && assertionResults.every((test) => test.status !== 'failed')) unloaded.push(`${path}: ${short(message)}`)
}
for (const test of skipped) console.error(`      skipped: ${test}`)
for (const file of unloaded) console.error(`      failed: ${file}`)
const failed = report.numFailedTests + unloaded.length
const broken = failed === 0 && (!report.success || ended !== '0')
if (broken) console.error(`      no test failed, but the run ended with exit code ${ended}`)
console.log(report.numPassedTests, broken ? 1 : failed, skipped.length)
