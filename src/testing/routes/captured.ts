import type { Layer } from './found-route.js'

type Inspector = typeof import('node:inspector')
type Remote = { readonly value?: { readonly objectId?: string; readonly description?: string }; readonly name: string }

/**
 * Reads the variables that a function closes over, as a debugger does. A mounted application is stored nowhere else.
 *
 * Returns nothing if the platform has no inspector. Routes that cannot be inspected are then listed as unguarded.
 */
export async function createCapturedReader(): Promise<(layer: Layer) => { readonly [name: string]: unknown }> {
  const inspector = await loadInspector()
  return (layer) => {
    try {
      return inspector === undefined ? {} : read(inspector, layer)
    } catch {
      return {}
    }
  }
}

async function loadInspector(): Promise<Inspector | undefined> {
  try {
    return await import('node:inspector')
  } catch {
    return undefined
  }
}

function read({ Session }: Inspector, layer: Layer): { readonly [name: string]: unknown } {
  const session = new Session()
  session.connect()
  const post = (method: string, params: object): { readonly [name: string]: unknown } => {
    let answer: object | undefined
    session.post(method, params, (error, result) => {
      if (error === null) answer = result
    })
    return { ...answer }
  }
  // The inspector evaluates in the global scope, so the function has to be there in the meantime.
  const place = `latchkey:${Math.random()}`
  const desk: { readonly layer: Layer; found: object } = { layer, found: {} }
  Reflect.set(globalThis, place, desk)
  try {
    const { result } = post('Runtime.evaluate', { expression: `globalThis[${JSON.stringify(place)}].layer` })
    const { internalProperties } = post('Runtime.getProperties', { objectId: Object(result).objectId, ownProperties: true })
    const scopes = (internalProperties as readonly Remote[]).find(({ name }) => name === '[[Scopes]]')?.value?.objectId
    const { result: list } = post('Runtime.getProperties', { objectId: scopes, ownProperties: true })
    for (const { value } of list as readonly Remote[]) {
      if (value?.objectId === undefined || !/^(Closure|Block)\b/.test(value.description ?? '')) continue
      const functionDeclaration = `function () { const desk = globalThis[${JSON.stringify(place)}]; desk.found = { ...this.object, ...desk.found } }`
      post('Runtime.callFunctionOn', { objectId: value.objectId, functionDeclaration })
    }
    return { ...desk.found }
  } finally {
    Reflect.deleteProperty(globalThis, place)
    session.disconnect()
  }
}
