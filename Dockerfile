# Two stages: pip and its cache stay in the first.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY manifests/locks/build.txt manifests/locks/runtime.txt locks/
RUN python -m venv /opt/rollout \
    && /opt/rollout/bin/python -m pip install --require-hashes --only-binary :all: -r locks/runtime.txt \
    && python -m venv /opt/build \
    && /opt/build/bin/python -m pip install --require-hashes --only-binary :all: -r locks/build.txt
COPY pyproject.toml LICENSE README.md ./
COPY rollout rollout
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/rollout/bin/python -m pip install --no-deps --no-index dist/*.whl \
    && /opt/rollout/bin/python -m pip uninstall --yes pip setuptools

FROM ${PYTHON_IMAGE}
# git and ssh fetch the policies; Debian's own security fixes come with the base image's tag, so no version pins here.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 65532 rollout \
    && useradd --uid 65532 --gid 65532 --home-dir /var/lib/rollout --no-create-home --shell /usr/sbin/nologin rollout \
    && install --directory --owner=65532 --group=65532 --mode=0700 /var/lib/rollout
COPY --from=builder /opt/rollout /opt/rollout
# The root file system may be read-only: everything that is written goes to the state volume.
ENV HOME=/var/lib/rollout \
    PATH=/opt/rollout/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
VOLUME ["/var/lib/rollout"]
WORKDIR /var/lib/rollout
USER 65532:65532
# The orchestrator asks /healthz; a second prober in the image would only disagree with it.
HEALTHCHECK NONE
ENTRYPOINT ["rollout"]
CMD ["run"]
