# One recipe for all images: docker build --build-arg SERVICE=watcher .
# SERVICE=local is what plays forge and cluster in demonstrations.
# Nothing is fetched but what the locks name, each by its hash. Behind a proxy that signs for itself:
# docker build --secret id=pip-ca,src=ca.pem …
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS tools
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY images.lock ./
RUN --mount=type=secret,id=pip-ca,target=/run/secrets/pip-ca \
    if [ -s /run/secrets/pip-ca ]; then export PIP_CERT=/run/secrets/pip-ca; fi; \
    python3 -m venv tools && tools/bin/pip install -q --no-compile --require-hashes -r images.lock

FROM tools AS wheels
COPY libs libs
COPY services services
# What the gateway shows as help.
COPY docs docs
RUN tools/bin/pip wheel -q --no-deps --no-build-isolation -w wheels libs/* services/*

FROM tools AS build
ARG SERVICE
COPY */${SERVICE}/requirements.lock ./
RUN --mount=type=secret,id=pip-ca,target=/run/secrets/pip-ca \
    if [ -s /run/secrets/pip-ca ]; then export PIP_CERT=/run/secrets/pip-ca; fi; \
    python3 -m venv --without-pip /app \
    && tools/bin/pip --python /app/bin/python install -q --no-compile --require-hashes -r requirements.lock
RUN --mount=type=bind,from=wheels,source=/build/wheels,target=/build/wheels \
    tools/bin/pip --python /app/bin/python install -q --no-compile --no-index --find-links wheels \
    countersign-${SERVICE}
COPY LICENSE /app/LICENSE
ARG SOURCE_DATE_EPOCH=0
# Bytecode is checked by nobody, and files are of one time, so that a build depends on no clock.
RUN rm -f /app/bin/[Aa]ctivate* && mkdir /state \
    && ln -s countersign-${SERVICE} /app/bin/countersign-service \
    && tools/bin/cyclonedx-py environment --output-reproducible --of JSON \
       -o /app/sbom.cdx.json /app/bin/python \
    && /app/bin/python -m compileall -q -f -j 0 --invalidation-mode unchecked-hash /app/lib \
    && chown 65532:65532 /state && mkdir /image && mv /app /state /image/ \
    && find /image -exec touch -h -d @${SOURCE_DATE_EPOCH} {} +

FROM ${PYTHON_IMAGE}
ARG SERVICE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="countersign-${SERVICE}" \
      org.opencontainers.image.description="Countersign: GitOps promotions in the name of who approved" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Also /state, so that a volume that is mounted there first belongs to whom it is for.
COPY --from=build /image /
ENV PATH=/app/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /
USER 65532:65532
ENTRYPOINT ["/app/bin/countersign-service"]
