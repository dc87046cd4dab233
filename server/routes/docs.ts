import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import packageJson from '#package.json' with { type: 'json' };
import type { App, ServeConfig } from '../parts.ts';

/** `/openapi.json` in OpenAPI 3.1, and `/docs` to read it by, which loads nothing from elsewhere. */
export async function addDocs(app: App, { basePath }: Pick<ServeConfig, 'basePath'>): Promise<void> {
  const prefix = basePath.replace(/\/+$/, '');
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: packageJson.name, description: packageJson.description, version: packageJson.version },
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{}, { key: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  const open = { config: { scope: 'public' }, schema: { hide: true } } as const;
  app.get(`${prefix}/openapi.json`, open, async () => app.swagger());
  await app.register(async (docs) => {
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, scope: 'public' };
    });
    await docs.register(swaggerUi, {
      routePrefix: `${prefix}/docs`,
      staticCSP: true,
      uiConfig: { validatorUrl: null, docExpansion: 'list' },
    });
  });
}
