# docker build --tag logrouter .
# app | docker run --rm --interactive logrouter
#
# Into somebody else's image, whose Python is that of BASE, to wrap its app:
#     COPY --from=logrouter /opt/logrouter /opt/logrouter
#     ENV PATH=/opt/logrouter/bin:$PATH
#
# BASE is any image with CPython 3.11 or newer and its venv module, as `python3`. Both stages use the same one,
# since the virtual environment points to its interpreter.
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# Dependencies first: this layer changes only with the lock files.
COPY .lock/runtime.txt .lock/build.txt .lock/
RUN python3 -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --requirement .lock/build.txt \
 && python3 -m venv --without-pip /opt/logrouter \
 && /opt/build/bin/pip --python /opt/logrouter/bin/python install --no-compile --require-hashes --only-binary=:all: --requirement .lock/runtime.txt

COPY pyproject.toml README.md LICENSE ./
COPY logrouter logrouter
# Byte code is compiled here: a container's file system is often read-only, and every start would compile again.
# `unchecked-hash`: sources never change in an image, so no start compares them with their byte code.
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/wheel . \
 && /opt/build/bin/pip --python /opt/logrouter/bin/python install --no-compile --no-deps --no-index /tmp/wheel/*.whl \
 && /opt/logrouter/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/logrouter/lib

FROM ${BASE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="logrouter" \
      org.opencontainers.image.description="Captures what an app writes to stdout and stderr, routes it by rules, and delivers it as promised." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

RUN groupadd --system --gid 10001 logrouter \
 && useradd --system --uid 10001 --gid logrouter --home-dir /var/lib/logrouter --no-create-home --shell /usr/sbin/nologin logrouter \
 && install --directory --owner logrouter --group logrouter --mode 0750 /var/lib/logrouter
COPY --from=build /opt/logrouter /opt/logrouter

# PYTHONDONTWRITEBYTECODE: all of it is compiled already. PYTHONUNBUFFERED is not set: logrouter decides when it writes.
ENV PATH=/opt/logrouter/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/logrouter
VOLUME /var/lib/logrouter

# By `admin.listen` of the config or LOGROUTER_ADMIN__LISTEN; without an admin port there is nobody to ask. Kubernetes takes
# no notice of it, and asks /healthz itself. Kept only by images of Docker's format (`buildah build --format docker`).
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["logrouter", "health"]
# No init: as PID 1 logrouter handles SIGTERM, and with `run` it forwards signals and reaps what is left behind.
STOPSIGNAL SIGTERM
ENTRYPOINT ["logrouter"]
