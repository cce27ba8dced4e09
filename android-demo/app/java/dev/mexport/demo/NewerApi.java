package dev.mexport.demo;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** Marks a method that looks at Build.VERSION.SDK_INT before it calls something newer than minSdk. */
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.METHOD)
public @interface NewerApi {}
