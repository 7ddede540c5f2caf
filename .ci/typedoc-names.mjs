import { Converter, ReflectionKind } from 'typedoc'

/** Names each page of the API documentation as its users import it: `latchkey/express`, not `adapters/express`. */
export const load = (app) => {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
    for (const module of context.project.getReflectionsByKind(ReflectionKind.Module)) {
      const path = module.name.replace(/^(src|adapters)\//, '').replace(/(^|\/)index$/, '')
      module.name = path === '' || path === 'src' ? 'latchkey' : `latchkey/${path}`
    }
  })
}
