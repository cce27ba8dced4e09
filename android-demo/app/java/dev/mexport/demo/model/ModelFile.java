package dev.mexport.demo.model;

/** One file of a bundle, by its name there. */
public record ModelFile(String path, long bytes, String sha256) {}
