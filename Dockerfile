# syntax=docker/dockerfile:1
# Two stages: the first installs what is locked, the second holds nothing but Python and that.
ARG PYTHON=python:3.13-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
RUN python -m venv --without-pip /app
COPY requirements.lock ./
RUN python -m pip --python /app/bin/python install --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY rotator ./rotator
RUN python -m pip --python /app/bin/python install --no-deps . \
 && python -m compileall -q /app

FROM ${PYTHON}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="rotator" \
      org.opencontainers.image.description="Rotates SIP and API passwords without losing one or cutting off a device" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
ENV PATH=/app/bin:/usr/local/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=build /app /app
# Numeric, so that Kubernetes can check runAsNonRoot. Nothing is written at run time: the root may be read-only.
USER 65532:65532
EXPOSE 9464
# In exec form: no shell is needed.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["/app/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9464/healthz', timeout=3)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/app/bin/rotator"]
CMD ["run", "--config", "/etc/rotator/config.yaml"]
