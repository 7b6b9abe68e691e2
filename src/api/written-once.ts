import fastJsonStringify, { type ObjectSchema } from "fast-json-stringify";
import type { FastifyInstance, FastifySerializerCompiler } from "fastify";

/** What `page` of schemas/common.ts gives. */
interface PageSchema {
  readonly properties?: { readonly items?: { readonly items?: ObjectSchema } };
}

/**
 * Writes pages whose items are the same objects for as long as they do not change: each item is written once, by its schema, and its JSON kept with it. Of a list
 * that several look at, the writing was most of the work.
 *
 * @param app whose shared schemas the route's may refer to
 */
export function writtenOnce(app: Pick<FastifyInstance, "getSchemas">): FastifySerializerCompiler<unknown> {
  return ({ schema }) => {
    const options = { schema: app.getSchemas() as Record<string, ObjectSchema> };
    const itemSchema = (schema as PageSchema).properties?.items?.items;
    if (!itemSchema) return fastJsonStringify(schema as ObjectSchema, options);
    const write = fastJsonStringify(itemSchema, options);
    const written = new WeakMap<object, string>();
    return ({ items, nextCursor }: { readonly items: readonly object[]; readonly nextCursor: string | null }) => {
      const texts = items.map((item) => {
        const text = written.get(item) ?? write(item);
        written.set(item, text);
        return text;
      });
      return `{"items":[${texts.join(",")}],"nextCursor":${JSON.stringify(nextCursor)}}`;
    };
  };
}
