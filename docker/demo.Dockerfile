# What docker/demo.yaml needs beside a database: an S3 store and a mail server, from the tests of this project.
# Nothing is protected: not for anything but trying things out.

ARG POSTGRES_MAJOR=15
# Any Debian would do; this one is there already.
ARG BASE_IMAGE=postgres:${POSTGRES_MAJOR}-bookworm
ARG RUST_IMAGE=rust:1.95-bookworm
# Where the program comes from: a stage below, or an image of its own that has it in /programs.
ARG PROGRAMS=build

FROM ${RUST_IMAGE} AS build
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY crates crates
COPY tests tests
RUN cargo build --locked --release -p acceptance --bin servers && mkdir /programs && mv target/release/servers /programs/ && rm -rf target

FROM ${PROGRAMS} AS programs

FROM ${BASE_IMAGE}
COPY --from=programs /programs/servers /usr/local/bin/
RUN mkdir /demo && chown nobody /demo
USER nobody
WORKDIR /demo
ENTRYPOINT ["servers", "/demo"]
CMD ["0.0.0.0:9000", "0.0.0.0:1025"]
STOPSIGNAL SIGKILL
