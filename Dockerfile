# Two stages: the first installs what is locked and gathers what runs; the second holds that and nothing else, neither a
# shell nor pip nor a distribution. The tag below can be moved, so release/build takes the base by its digest only, as
# --build-arg PYTHON=docker.io/library/python@sha256:... There is no syntax line: it would fetch a frontend by its tag.
ARG PYTHON=docker.io/library/python:3.13-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
RUN python -m venv --without-pip /app
COPY requirements.lock image/requirements-build.lock ./
RUN python -m pip --python /app/bin/python install --require-hashes --only-binary :all: -r requirements.lock \
 && python -m pip install --require-hashes --only-binary :all: -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY rotator ./rotator
# The wheel is built by the locked hatchling: pip's own isolation would fetch whatever is newest.
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
 && python -m pip --python /app/bin/python install --no-deps /wheel/*.whl
COPY image/rootfs.py ./
# In one process and with a fixed seed of hashes: else the bytecode differs from one build to the next.
RUN python rootfs.py /rootfs \
 && PYTHONHASHSEED=0 python -m compileall -q --invalidation-mode unchecked-hash -s /rootfs /rootfs/app /rootfs/usr/local/lib

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG BASE_NAME=unknown
ARG BASE_DIGEST=unknown
LABEL org.opencontainers.image.title="rotator" \
      org.opencontainers.image.description="Rotates SIP and API passwords without losing one or cutting off a device" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE_NAME}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}"
ENV PATH=/app/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=build /rootfs /
# Numeric, so that Kubernetes can check runAsNonRoot. Nothing is written at run time: the root may be read-only.
USER 65532:65532
EXPOSE 9464 9465
# In exec form: there is no shell.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["/app/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9465/healthz', timeout=3)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/app/bin/rotator"]
CMD ["run", "--config", "/etc/rotator/config.yaml"]
