# Two images of one version: `gateway` (app, prober) and `engine` (a vLLM image plus a thin layer).
#   docker build --target gateway --build-arg VERSION=v1.0.0 --build-arg COMMIT=$(git rev-parse HEAD) .
# Only syntax that the classic builder knows too; it builds every stage above its target, so `engine` stands last.

# The digest is the one that Docker Hub gave for this tag in public build logs and pins
# (AetherAI3/agent-browser: Dockerfile), Python 3.11.16.
ARG PYTHON_BASE=python:3.11-slim-bookworm@sha256:528257d48c1da0dcecc2e725d1ae34498d60c965f1241e39cd6a85a8859bdf84
# A tag: no public source was found that names this version's digest, and none is made up. Renovate pins it in a fork's
# first pull request (.github/renovate.json); by hand: docker buildx imagetools inspect, and its name
ARG ENGINE_BASE=vllm/vllm-openai:v0.32.0

FROM ${PYTHON_BASE} AS build
ARG UV=0.13.8
WORKDIR /src
# site-ca.pem is optional: the CA bundle of a site whose traffic to the package index is inspected
COPY pyproject.toml uv.lock site-ca*.pem ./
RUN if [ -s site-ca.pem ]; then export SSL_CERT_FILE=/src/site-ca.pem PIP_CERT=/src/site-ca.pem; fi \
    && python3 -m venv /tmp/installer \
    && /tmp/installer/bin/pip install --quiet --no-cache-dir --disable-pip-version-check "uv==${UV}" \
    && /tmp/installer/bin/uv export --quiet --frozen --no-emit-project --no-default-groups --extra gateway --extra prober \
        --output-file /tmp/requirements.txt \
    && python3 -m venv --without-pip /opt/venv \
    && /tmp/installer/bin/uv pip install --python /opt/venv/bin/python3 --no-cache --compile-bytecode \
        --require-hashes --requirement /tmp/requirements.txt

FROM ${PYTHON_BASE} AS gateway
# what could install or build more goes, in Debian's layout and in the python image's
RUN rm -rf /usr/lib/python3*/ensurepip /usr/share/python-wheels /usr/local/lib/python3*/ensurepip \
        /usr/local/lib/python3*/site-packages/* /usr/local/bin/pip* /usr/local/bin/wheel \
    && echo 'sluice:x:65532:65532::/tmp:/usr/sbin/nologin' >>/etc/passwd
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv
COPY model/ model/
COPY quality/ quality/
COPY app/ app/
# what the prober's quality gate reads
COPY release/__init__.py release/errors.py release/
COPY rollouts/__init__.py rollouts/gates.py rollouts/gates.yaml rollouts/
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["python3", "-m", "app"]
ARG VERSION=v0.0.0
ARG COMMIT=unknown
LABEL org.opencontainers.image.title=sluice-gateway \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${COMMIT}

FROM ${ENGINE_BASE} AS engine
# hadolint ignore=DL3066
USER root
# vLLM and torch ask for the name and home of who runs them
RUN echo 'sluice:x:65532:65532::/tmp:/usr/sbin/nologin' >>/etc/passwd
WORKDIR /srv
COPY model/ model/
ENV HOME=/tmp USER=sluice PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 8000
ENTRYPOINT ["python3", "-m", "model.serve"]
# the base's own arguments are not for our launcher
CMD []
ARG VERSION=v0.0.0
ARG COMMIT=unknown
LABEL org.opencontainers.image.title=sluice-engine \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${COMMIT}
