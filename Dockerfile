# `vlmo` as an image: `docker build --target cpu .`, or `--target cuda` for NVIDIA GPUs (x64).
# What of this folder goes in is listed in .dockerignore. No secret is needed to build it, and none is kept.

ARG NODE_IMAGE=node:24.21.0-bookworm-slim@sha256:0e0ff40c39bc087845bfb27465a0df4ea419520094bc35842ff83dd8cbe6f9b6
# onnxruntime 1.30 wants CUDA 12 and cuDNN 9.
ARG CUDA_IMAGE=nvidia/cuda:12.9.1-cudnn-runtime-ubuntu24.04@sha256:d02c4310b6d57ca0b16cd80298bdb33a74187baafe2eccd8a6a16180ddc90802

FROM ${NODE_IMAGE} AS node

FROM node AS page
WORKDIR /page
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY web web
RUN node_modules/.bin/vite build --logLevel warn web

FROM node AS app
WORKDIR /app
COPY package.json package-lock.json ./
# No package that runs in production needs its install script. onnxruntime brings its libraries for all systems along.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/onnxruntime-node/bin/napi-v6/darwin node_modules/onnxruntime-node/bin/napi-v6/win32
COPY . ./
COPY --from=page /page/web/dist web/dist

FROM app AS app-cuda
RUN ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install

FROM ${CUDA_IMAGE} AS cuda
# A new volume takes its owner from the folder that it is mounted on.
RUN mkdir /index /pictures /models && chown 1000:1000 /index
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=app-cuda /app /app
WORKDIR /app
# onnxruntime would report its use to Microsoft.
ENV NODE_ENV=production ORT_DISABLE_TELEMETRY=1 VLMO_DEVICE=cuda
USER 1000:1000
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/node", "/app/bin/vlmo.js"]
CMD ["worker", "--index", "/index"]

# The last one: what is built where no target is named.
FROM node AS cpu
RUN mkdir /index /pictures /models && chown 1000:1000 /index
COPY --from=app /app /app
WORKDIR /app
ENV NODE_ENV=production ORT_DISABLE_TELEMETRY=1 VLMO_DEVICE=cpu
USER 1000:1000
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/node", "/app/bin/vlmo.js"]
CMD ["worker", "--index", "/index"]
