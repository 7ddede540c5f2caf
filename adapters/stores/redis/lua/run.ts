/** `runOfServer()`: returns the run ID. It changes with a restart or a failover, which may lose acknowledged writes and assign positions twice. */
export const runOfServer: string = `
local function runOfServer()
  local info = redis.pcall('INFO', 'server')
  return type(info) == 'string' and string.match(info, 'run_id:(%w+)') or 'unknown'
end
`
